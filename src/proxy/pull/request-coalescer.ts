import { LRUCache } from 'lru-cache';
import { unlessAborted } from '../../upstream/unless-aborted.ts';
import { ClientGone, type Exchange } from '../exchange.ts';
import type { AttemptRecord, HedgeCounts } from '../request-record.ts';
import type { PullScope } from './pull-plan.ts';

/** One read that several clients wait for. It runs until the last of them has left. */
class SharedRequest<T> implements PullScope {
  readonly attempts: AttemptRecord[] = [];
  readonly hedges: HedgeCounts = { started: 0, won: 0, refused: 0 };
  readonly #started = performance.now();
  readonly #gone = new AbortController();
  readonly #done: Promise<T>;
  #members = 0;
  #over = false;
  #told = false;

  constructor(read: (scope: PullScope) => Promise<T>) {
    this.#done = read(this).finally(() => {
      this.#over = true;
    });
    // Each client that waits gets the error from `join`. After the last one left, the error does not matter.
    this.#done.catch(() => undefined);
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  elapsed(): number {
    return performance.now() - this.#started;
  }

  /** @throws ClientGone if this client leaves; otherwise the error of the read */
  async join(exchange: Exchange): Promise<T> {
    this.#members += 1;
    try {
      return await unlessAborted(exchange.gone, this.#done);
    } finally {
      this.#leave(exchange);
    }
  }

  #leave(exchange: Exchange): void {
    exchange.attempts.push(...this.attempts);
    this.#members -= 1;
    // Each attempt is counted once, for the first client that leaves after the read has ended.
    if (this.#told || (!this.#over && this.#members > 0)) {
      exchange.notes.fetch.coalesced = true;
    } else {
      this.#told = true;
      Object.assign(exchange.hedges, this.hedges);
    }
    if (this.#members === 0) this.#gone.abort(new ClientGone());
  }
}

/** A read that is made once for several clients. */
export interface SharedRead<T> {
  /** The result is shared: it must not be changed. */
  read(scope: PullScope): Promise<T>;
  /**
   * Called with a result unless something was written meanwhile.
   * @returns whether the result may be served again while it is fresh
   */
  keep(result: T): boolean;
}

/**
 * Milliseconds after which clients do not join a read any more: it may be stuck, and a new plan can avoid the reason.
 */
const JOIN_MS = 250;
/** The most answers that are kept while they are fresh. */
const MAX_FRESH = 1000;

/** Makes one read for all clients that ask for the same at the same time. */
export class RequestCoalescer<T extends object> {
  readonly #underWay = new Map<string, SharedRequest<T>>();
  readonly #fresh: LRUCache<string, T> | undefined;

  /** @param freshMs milliseconds for which an answer is served again without asking an upstream; 0: never */
  constructor(freshMs: number) {
    if (freshMs > 0) this.#fresh = new LRUCache({ maxSize: MAX_FRESH, sizeCalculation: () => 1, ttl: freshMs });
  }

  /**
   * @param key has everything that the answer depends on, also the client's credentials if an upstream sees them
   * @param request the read, if none with this key is under way
   */
  join(key: string, exchange: Exchange, request: SharedRead<T>): Promise<T> {
    const fresh = this.#fresh?.get(key);
    if (fresh) {
      exchange.notes.fetch.memory = true;
      return Promise.resolve(fresh);
    }
    const known = this.#underWay.get(key);
    if (known && !known.gone.aborted && known.elapsed() < JOIN_MS) return known.join(exchange);
    const shared = new SharedRequest<T>(async (scope) => {
      // A read that fails at once must not end before it is in the map.
      await null;
      try {
        const result = await request.read(scope);
        if (this.#underWay.get(key) === shared && request.keep(result)) this.#fresh?.set(key, result);
        return result;
      } finally {
        if (this.#underWay.get(key) === shared) this.#underWay.delete(key);
      }
    });
    this.#underWay.set(key, shared);
    return shared.join(exchange);
  }

  /** Called after a write: clients that ask from now on do not get answers from before it. */
  forget(): void {
    this.#fresh?.clear();
    this.#underWay.clear();
  }
}
