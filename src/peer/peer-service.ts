import { LRUCache } from 'lru-cache';
import { OciError } from '../oci/error.ts';
import type { Followers } from './followers.ts';
import type { StandingAnswer } from './peer-marks.ts';
import { PEER_VERSION, type PeerAnswer, type PeerQuestion } from './peer-message.ts';
import type { PeerSealer } from './peer-sealer.ts';
import type { SharedStore } from './shared-store.ts';
import type { SightMessage } from './sight-message.ts';

/** Most entries of each store in one answer: some 80 kB of tags, made and read in a few milliseconds. */
const MAX_ENTRIES = 250;
/** Most nonces that are remembered against replay: half a day of one peer's questions. */
const MAX_NONCES = 50_000;
/** Most concurrent answers. */
const MAX_AT_ONCE = 8;

export interface PeerServiceOptions {
  sealer: () => PeerSealer;
  stores: readonly SharedStore[];
  /** Id of this process. */
  node: string;
  now: () => number;
  /** Omitted: no question stands. */
  followers?: Followers;
  /** What this edge sees. Omitted: it does not tell. */
  sight?: () => SightMessage | undefined;
}

/** Answers the questions of other edges. */
export class PeerService {
  readonly #options: PeerServiceOptions;
  /** Nonces of answered questions: a replayed question would cost an answer, which only edges can read. */
  readonly #nonces = new LRUCache<string, true>({ maxSize: MAX_NONCES, sizeCalculation: () => 1 });
  #busy = 0;

  constructor(options: PeerServiceOptions) {
    this.#options = options;
  }

  /**
   * @param standing where the question may stand until there is news; omitted: it is answered at once
   * @returns the sealed answer; undefined: the question does not come from an edge of this site
   * @throws OciError UNAVAILABLE: too many concurrent questions
   */
  async answer(text: string, standing?: StandingAnswer): Promise<string | undefined> {
    if (this.#busy >= MAX_AT_ONCE)
      throw new OciError('UNAVAILABLE', 'too many edges ask at once; ask again', { retryAfter: 1 });
    this.#busy += 1;
    const box = this.#options.sealer();
    let question: PeerQuestion | undefined;
    try {
      question = await box.openQuestion(text);
      if (!question || !this.#isNew(question)) return undefined;
      if (!standing || !this.#mayStand(question)) return await box.seal(this.#answerTo(question));
    } finally {
      this.#busy -= 1;
    }
    // Questions that stand have a bound of their own.
    await this.#options.followers?.stand(question, standing);
    return box.seal(this.#answerTo(question));
  }

  #mayStand({ of, link }: PeerQuestion): boolean {
    return of === this.#options.node && link !== undefined && this.#options.followers !== undefined;
  }

  #isNew({ nonce }: PeerQuestion): boolean {
    if (this.#nonces.has(nonce)) return false;
    this.#nonces.set(nonce, true);
    return true;
  }

  #answerTo({ nonce, of, known, link }: PeerQuestion): PeerAnswer {
    const { node, stores, followers, sight } = this.#options;
    const now = this.#options.now();
    const told = stores.map((store) => {
      const heard = of === node ? (known[store.name] ?? 0) : 0;
      const { entries, next } = store.since(heard, MAX_ENTRIES, now);
      return [store.name, { entries, next, more: next < store.head }] as const;
    });
    const ended = followers?.ended === true;
    const stands = !ended && followers?.hasRoom(link) === true;
    const entries = Object.fromEntries(told);
    return { v: PEER_VERSION, kind: 'answer', nonce, node, now, stores: entries, stands, ended, sight: sight?.() };
  }
}
