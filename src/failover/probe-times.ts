/** Milliseconds for which a good probe is remembered. */
const HOUR_MS = 3_600_000;
/** Least milliseconds between two of them. It bounds their number. */
const APART_MS = 5000;
/** Good probes below which their percentile says little: an edge that has just started is slow itself. */
const MIN_FOR_PERCENTILE = 20;
const PERCENTILE = 0.95;
/** How much longer than usual a probe may take. */
const FACTOR = 2;
/** Milliseconds that a probe is waited for at most, unless `probe.timeout` is longer. A silent upstream must be noticed. */
const LONGEST_MS = 5000;

/** How long the good probes of one URL have taken in the last hour, and so how long the next one may take (rule 11). */
export class ProbeTimes {
  readonly #timeout: number;
  /** The newest comes last; monotonic milliseconds. */
  #good: { at: number; ms: number }[] = [];
  #usual = 0;

  /** @param timeout `probe.timeout` in milliseconds */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  addGood(ms: number, now: number): void {
    this.#good = this.#good.filter(({ at }) => now - at < HOUR_MS);
    if (now - (this.#good.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= APART_MS) this.#good.push({ at: now, ms });
    const sorted = this.#good.map((one) => one.ms).sort((a, b) => a - b);
    const slowest = sorted.slice(0, Math.ceil(sorted.length * PERCENTILE)).slice(-1);
    // An upstream that has just become slow counts at once.
    this.#usual = Math.max(ms, ...(sorted.length < MIN_FOR_PERCENTILE ? [] : slowest));
  }

  /** Milliseconds after which a probe that is not answered counts as failed. */
  get limit(): number {
    return Math.max(this.#timeout, Math.min(FACTOR * this.#usual, LONGEST_MS));
  }
}
