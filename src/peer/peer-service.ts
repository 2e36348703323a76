import { LRUCache } from 'lru-cache';
import { OciError } from '../oci/error.ts';
import { PEER_VERSION, type PeerAnswer, type PeerQuestion } from './peer-message.ts';
import type { PeerSealer } from './peer-sealer.ts';
import type { SharedStore } from './shared-store.ts';

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
}

/** Answers the questions of other edges. */
export class PeerService {
  readonly #options: PeerServiceOptions;
  /** Nonces of answered questions: a replayed question would cost an answer, which only edges can read. */
  readonly #nonces = new LRUCache<string, true>({ max: MAX_NONCES });
  #busy = 0;

  constructor(options: PeerServiceOptions) {
    this.#options = options;
  }

  /**
   * @returns the sealed answer; undefined: the question does not come from an edge of this site
   * @throws OciError UNAVAILABLE: too many concurrent questions
   */
  async answer(text: string): Promise<string | undefined> {
    if (this.#busy >= MAX_AT_ONCE)
      throw new OciError('UNAVAILABLE', 'too many edges ask at once; ask again', { retryAfter: 1 });
    this.#busy += 1;
    try {
      const box = this.#options.sealer();
      const question = await box.openQuestion(text);
      if (!question || !this.#isNew(question)) return undefined;
      return await box.seal(this.#answerTo(question));
    } finally {
      this.#busy -= 1;
    }
  }

  #isNew({ nonce }: PeerQuestion): boolean {
    if (this.#nonces.has(nonce)) return false;
    this.#nonces.set(nonce, true);
    return true;
  }

  #answerTo({ nonce, of, known }: PeerQuestion): PeerAnswer {
    const { node, stores } = this.#options;
    const now = this.#options.now();
    const told = stores.map((store) => {
      const heard = of === node ? (known[store.name] ?? 0) : 0;
      const { entries, next } = store.since(heard, MAX_ENTRIES, now);
      return [store.name, { entries, next, more: next < store.head }] as const;
    });
    return { v: PEER_VERSION, kind: 'answer', nonce, node, now, stores: Object.fromEntries(told) };
  }
}
