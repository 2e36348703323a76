import { LRUCache } from 'lru-cache';
import { ClientGone, type Exchange } from './exchange.ts';
import type { AttemptRecord, HedgeCounts } from './record.ts';
import type { PullScope } from './scope.ts';

/** One read that several clients wait for. It goes on until the last of them has left. */
class Flight<T> implements PullScope {
  readonly attempts: AttemptRecord[] = [];
  readonly hedges: HedgeCounts = { started: 0, won: 0, refused: 0 };
  readonly #started = performance.now();
  readonly #gone = new AbortController();
  readonly #landed: Promise<T>;
  #members = 0;
  #told = false;

  constructor(read: (scope: PullScope) => Promise<T>) {
    this.#landed = read(this);
    // Whoever waits is told; when nobody does any more, nobody needs to be.
    this.#landed.catch(() => undefined);
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
      return await Promise.race([this.#landed, left]);
    } finally {
      exchange.gone.removeEventListener('abort', onGone);
      this.#leave(exchange);
    }
  }

  #leave(exchange: Exchange): void {
    exchange.attempts.push(...this.attempts);
    // Each attempt is counted once, however many waited for it.
    if (this.#told) exchange.notes.coalesced = true;
    else Object.assign(exchange.hedges, this.hedges);
    this.#told = true;
    this.#members -= 1;
    if (this.#members === 0) this.#gone.abort(new ClientGone());
  }
}

/** Who comes later than that asks anew: what is asked has got stuck, and the next plan may know why. */
const JOIN_MS = 250;
/** Answers that are kept while they are fresh. */
const MAX_FRESH = 1000;

/** Reads that are made once for all who ask for the same at the same time. */
export class Herd<T extends object> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #fresh: LRUCache<string, T> | undefined;

  /** @param freshMs milliseconds for which an answer is given again without asking; 0: never */
  constructor(freshMs: number) {
    if (freshMs > 0) this.#fresh = new LRUCache({ max: MAX_FRESH, ttl: freshMs });
  }

  /**
   * @param key holds all that the answer depends on, the client's credentials where an upstream sees them
   * @param read what to do if nobody is doing it already; its result is shared, so that it must not be changed
   */
  join(key: string, exchange: Exchange, read: (scope: PullScope) => Promise<T>): Promise<T> {
    const fresh = this.#fresh?.get(key);
    if (fresh) {
      exchange.notes.memory = true;
      return Promise.resolve(fresh);
    }
    const known = this.#flights.get(key);
    if (known && !known.gone.aborted && known.elapsed() < JOIN_MS) return known.join(exchange);
    const flight = new Flight<T>(async (scope) => {
      // What fails before it waits must not land before it is known.
      await null;
      try {
        const result = await read(scope);
        if (this.#flights.get(key) === flight) this.#fresh?.set(key, result);
        return result;
      } finally {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      }
    });
    this.#flights.set(key, flight);
    return flight.join(exchange);
  }

  /** Something was written: what was read before, or is being read now, is not given to those who ask from now on. */
  forget(): void {
    this.#fresh?.clear();
    this.#flights.clear();
  }
}
