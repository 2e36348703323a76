/** How many of the last answers are remembered, … */
const WINDOW = 64;
/** … how many must have come before their spread says anything, … */
const MIN_SAMPLES = 8;
/** … and after how many more it is computed anew. */
const RECOMPUTE_AFTER = 8;

/** The recent times to an answer of one URL and class: to its end, or to the beginning of a blob. */
export class Latency {
  readonly #recent: number[] = [];
  #next = 0;
  #sinceComputed = 0;
  #p95: number | undefined;

  /**
   * @param ms from the start of an attempt to its answer. Not of one that was outrun by another: that it had not answered by then
   * would push the hedge out, each time further.
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

  /** Milliseconds within which 19 of 20 answers came; undefined: too few came yet. */
  get p95(): number | undefined {
    return this.#p95;
  }
}
