import type { Evidence } from './failure-evidence.ts';

/** Answers that are remembered. */
const WINDOW = 64;
/** Answers of one (client, repository) that are remembered: a quarter. */
const MAX_PER_PAIR = WINDOW / 4;
/** Answers of one client that are remembered: a half, so that those of others stay. */
const MAX_PER_CLIENT = WINDOW / 2;
/** Answers that are needed for a percentile. */
const MIN_SAMPLES = 8;
/** Further answers after which the percentile is computed again. */
const RECOMPUTE_AFTER = 8;
const PERCENTILE = 0.95;

interface Sample {
  ms: number;
  evidence: Evidence;
}

/** Recent answer times of one URL and class: to the end of an answer, or to the beginning of a blob. */
export class Latency {
  /** The newest comes last. */
  readonly #recent: Sample[] = [];
  #sinceComputed = 0;
  #p95: number | undefined;

  /**
   * @param ms from the start of an attempt to its answer. An attempt that lost against another one must not be added: its missing answer
   * would delay the hedge further each time.
   */
  add(ms: number, evidence: Evidence): void {
    this.#makeRoom(evidence);
    this.#recent.push({ ms, evidence });
    this.#sinceComputed += 1;
    if (this.#recent.length < MIN_SAMPLES || (this.#p95 !== undefined && this.#sinceComputed < RECOMPUTE_AFTER)) return;
    this.#sinceComputed = 0;
    this.#p95 = robustPercentile(this.#recent);
  }

  /** Milliseconds within which 19 of 20 answers came; undefined: too few answers yet. */
  get p95(): number | undefined {
    return this.#p95;
  }

  /** Takes the oldest sample of those that have too many. It runs for each answer, so it makes no lists. */
  #makeRoom({ client, repository }: Evidence): void {
    let [ofClient, ofPair] = [0, 0];
    let [oldestOfClient, oldestOfPair] = [-1, -1];
    for (let index = 0; index < this.#recent.length; index += 1) {
      const { evidence } = this.#recent[index] as Sample;
      if (evidence.client !== client) continue;
      if (ofClient === 0) oldestOfClient = index;
      ofClient += 1;
      if (evidence.repository !== repository) continue;
      if (ofPair === 0) oldestOfPair = index;
      ofPair += 1;
    }
    if (ofPair >= MAX_PER_PAIR) this.#drop(oldestOfPair);
    else if (ofClient >= MAX_PER_CLIENT) this.#drop(oldestOfClient);
    else if (this.#recent.length >= WINDOW) this.#drop(0);
  }

  #drop(index: number): void {
    this.#recent.copyWithin(index, index + 1);
    this.#recent.pop();
  }
}

/**
 * The percentile that no client has raised alone: the smallest one with the samples of one client left out. A twentieth
 * of the samples decides, so a slow repository of one client would otherwise delay the hedges of all.
 */
function robustPercentile(samples: readonly Sample[]): number {
  const sorted = samples.toSorted((a, b) => a.ms - b.ms);
  const all = percentile(sorted);
  const slowest = new Set(sorted.slice(rankOf(sorted)).map(({ evidence }) => evidence.client));
  const without = [...slowest].map((client) => sorted.filter(({ evidence }) => evidence.client !== client));
  return Math.min(all, ...without.filter(({ length }) => length >= MIN_SAMPLES).map(percentile));
}

function percentile(sorted: readonly Sample[]): number {
  return (sorted[rankOf(sorted)] as Sample).ms;
}

function rankOf({ length }: readonly Sample[]): number {
  return Math.ceil(length * PERCENTILE) - 1;
}
