/** The times that decide when the next attempt starts in parallel. */
export interface HedgeTimes {
  /** The upstream's 95th percentile in milliseconds; undefined: not known yet. */
  p95: number | undefined;
  /** Earliest hedge, in milliseconds. */
  floor: number;
  /** The attempt's own deadline, in milliseconds. */
  deadline: number;
}

/** Factor of the floor while the upstream's p95 is not known. */
const UNKNOWN_FACTOR = 2;

/** Milliseconds after which an unanswered attempt is late (The Tail at Scale: beyond the 95th percentile). */
export function hedgeAfter({ p95, floor, deadline }: HedgeTimes): number {
  return Math.min(Math.max(p95 ?? floor * UNKNOWN_FACTOR, floor), deadline);
}

/** Hedges that may be made at once, however few requests there were. */
const BURST = 10;

/** Hedges that one client may make at once: half of them, so that its slow repository leaves some for others. */
const BURST_PER_CLIENT = BURST / 2;
/** Clients whose hedges are remembered. */
const MAX_CLIENTS = 256;

/** Limits hedges to a share of the requests, so that a slow primary neither gets twice its load nor runs up the fallback's bill. */
export class HedgeBudget {
  readonly #perRequest: number;
  #tokens = BURST;
  /** What each client has left of its own share. The one that hedged last comes last. */
  readonly #own = new Map<string, number>();

  /** @param share hedges per request, from 0 to 1 */
  constructor(share: number) {
    this.#perRequest = share;
    if (share === 0) this.#tokens = 0;
  }

  /** Counts a request. */
  earn(client: string): void {
    this.#tokens = Math.min(this.#tokens + this.#perRequest, BURST);
    const own = this.#own.get(client);
    if (own === undefined) return;
    if (own + this.#perRequest >= BURST_PER_CLIENT) this.#own.delete(client);
    else this.#own.set(client, own + this.#perRequest);
  }

  /** Whether a hedge may be made; a hedge that is made uses up budget. */
  spend(client: string): boolean {
    const own = this.#own.get(client) ?? BURST_PER_CLIENT;
    if (this.#tokens < 1 || own < 1) return false;
    this.#tokens -= 1;
    this.#own.delete(client);
    this.#own.set(client, own - 1);
    for (const oldest of this.#own.keys()) {
      if (this.#own.size <= MAX_CLIENTS) break;
      this.#own.delete(oldest);
    }
    return true;
  }
}
