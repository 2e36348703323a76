import { LRUCache } from 'lru-cache';
import { ClientGone, type Exchange } from '../exchange.ts';
import type { AttemptRecord, HedgeCounts } from '../request-record.ts';
import type { PullScope } from './pull-plan.ts';

/** One read that several clients wait for. It goes on until the last of them has left. */
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
    // Whoever waits is told; when nobody does any more, nobody needs to be.
    this.#done.catch(() => undefined);
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  elapsed(): number {
    return performance.now() - this.#started;
  }

  /** @throws ClientGone when this client leaves; else as the read fails */
  async join(exchange: Exchange): Promise<T> {
    this.#members += 1;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const onGone = () => reject(new ClientGone());
    exchange.gone.addEventListener('abort', onGone, { once: true });
    if (exchange.gone.aborted) onGone();
    try {
      return await Promise.race([this.#done, left]);
    } finally {
      exchange.gone.removeEventListener('abort', onGone);
      this.#leave(exchange);
    }
  }

  #leave(exchange: Exchange): void {
    exchange.attempts.push(...this.attempts);
    this.#members -= 1;
    // Each attempt is counted once, however many waited for it: by the first who knows of all of them.
    if (this.#told || (!this.#over && this.#members > 0)) {
      exchange.notes.fetch.coalesced = true;
    } else {
      this.#told = true;
      Object.assign(exchange.hedges, this.hedges);
    }
    if (this.#members === 0) this.#gone.abort(new ClientGone());
  }
}

/** What is done once for several clients. */
export interface SharedRead<T> {
  /** Its result is shared, so that it must not be changed. */
  read(scope: PullScope): Promise<T>;
  /** Told of a result that nothing written meanwhile has made doubtful. Returns whether it may be given again while it is fresh. */
  keep(result: T): boolean;
}

/** Who comes later than that asks anew: what is asked has got stuck, and the next plan may know why. */
const JOIN_MS = 250;
/** Answers that are kept while they are fresh. */
const MAX_FRESH = 1000;

/** Reads that are made once for all who ask for the same at the same time. */
export class RequestCoalescer<T extends object> {
  readonly #underWay = new Map<string, SharedRequest<T>>();
  readonly #fresh: LRUCache<string, T> | undefined;

  /** @param freshMs milliseconds for which an answer is given again without asking; 0: never */
  constructor(freshMs: number) {
    if (freshMs > 0) this.#fresh = new LRUCache({ max: MAX_FRESH, ttl: freshMs });
  }

  /**
   * @param key holds all that the answer depends on, the client's credentials where an upstream sees them
   * @param shared what to do if nobody is doing it already
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
      // What fails before it waits must not land before it is known.
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

  /** Something was written: what was read before, or is being read now, is not given to those who ask from now on. */
  forget(): void {
    this.#fresh?.clear();
    this.#underWay.clear();
  }
}
