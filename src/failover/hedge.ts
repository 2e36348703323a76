/** How long an answer may be waited for before the next attempt starts beside it. */
export interface HedgeTimes {
  /** What the upstream usually takes, in milliseconds; undefined: not known yet. */
  p95: number | undefined;
  /** Never sooner, in milliseconds. */
  floor: number;
  /** The attempt's own deadline, in milliseconds. */
  deadline: number;
}

/** Before it is known what an upstream usually takes, so many times the floor is waited. */
const UNKNOWN_FACTOR = 2;

/** Milliseconds after which an attempt without an answer is late (The Tail at Scale: what is beyond the 95th percentile). */
export function hedgeAfter({ p95, floor, deadline }: HedgeTimes): number {
  return Math.min(Math.max(p95 ?? floor * UNKNOWN_FACTOR, floor), deadline);
}

/** Hedges that may come at once, however few requests there were before. */
const BURST = 10;

/**
 * How many hedges may be made: a share of the requests, so that a primary that is slow for all neither gets its load doubled nor runs up
 * the fallback's bill.
 */
export class HedgeBudget {
  readonly #perRequest: number;
  #tokens = BURST;

  /** @param share hedges per request, from 0 to 1 */
  constructor(share: number) {
    this.#perRequest = share;
    if (share === 0) this.#tokens = 0;
  }

  /** A request was made. */
  earn(): void {
    this.#tokens = Math.min(this.#tokens + this.#perRequest, BURST);
  }

  /** Whether a hedge may be made; if so, it is paid. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
