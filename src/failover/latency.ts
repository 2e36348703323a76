/** Answers that are remembered. */
const WINDOW = 64;
/** Answers that are needed for a percentile. */
const MIN_SAMPLES = 8;
/** Further answers after which the percentile is computed again. */
const RECOMPUTE_AFTER = 8;

/** Recent answer times of one URL and class: to the end of an answer, or to the beginning of a blob. */
export class Latency {
  readonly #recent: number[] = [];
  #next = 0;
  #sinceComputed = 0;
  #p95: number | undefined;

  /**
   * @param ms from the start of an attempt to its answer. An attempt that lost against another one must not be added: its missing answer
   * would delay the hedge further each time.
   */
  add(ms: number): void {
    this.#recent[this.#next] = ms;
    this.#next = (this.#next + 1) % WINDOW;
    this.#sinceComputed += 1;
    if (this.#recent.length < MIN_SAMPLES || (this.#p95 !== undefined && this.#sinceComputed < RECOMPUTE_AFTER)) return;
    this.#sinceComputed = 0;
    const sorted = this.#recent.toSorted((a, b) => a - b);
    this.#p95 = sorted[Math.ceil(sorted.length * 0.95) - 1];
  }

  /** Milliseconds within which 19 of 20 answers came; undefined: too few answers yet. */
  get p95(): number | undefined {
    return this.#p95;
  }
}
