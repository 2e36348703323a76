import { LRUCache } from 'lru-cache';
import { OciError } from '../oci/error.ts';
import { PEER_VERSION, type PeerAnswer, type PeerQuestion } from './peer-message.ts';
import type { PeerSealer } from './peer-sealer.ts';
import type { SharedStore } from './shared-store.ts';

/** Most entries of each store in one answer: some 80 kB of tags, made and read in a few milliseconds. */
const MAX_ENTRIES = 250;
/** Milliseconds by which the clocks of a pair may differ. */
const SKEW_MS = 300_000;
/** Most nonces that are remembered against replay; a pair asks 600 questions in `SKEW_MS`. */
const MAX_NONCES = 50_000;
/** Most concurrent answers. */
const MAX_AT_ONCE = 8;

export interface PeerServiceOptions {
  sealer: () => PeerSealer;
  stores: readonly SharedStore[];
  /** Id of this process. */
  node: string;
  now?: () => number;
}

/** Answers the questions of other edges. */
export class PeerService {
  readonly #options: PeerServiceOptions;
  readonly #now: () => number;
  /** Nonces of answered questions: a replayed question would cost an answer. */
  readonly #nonces = new LRUCache<string, true>({ max: MAX_NONCES });
  #busy = 0;

  constructor(options: PeerServiceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
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

  #isNew({ nonce, at }: PeerQuestion): boolean {
    if (Math.abs(at - this.#now()) > SKEW_MS || this.#nonces.has(nonce)) return false;
    this.#nonces.set(nonce, true);
    return true;
  }

  #answerTo({ nonce, of, known }: PeerQuestion): PeerAnswer {
    const { node, stores } = this.#options;
    const told = stores.map((store) => {
      const heard = of === node ? (known[store.name] ?? 0) : 0;
      const { entries, next } = store.since(heard, MAX_ENTRIES);
      return [store.name, { entries, next, more: next < store.head }] as const;
    });
    return { v: PEER_VERSION, kind: 'answer', nonce, node, stores: Object.fromEntries(told) };
  }
}
