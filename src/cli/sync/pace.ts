interface Sample {
  /** Milliseconds of a monotonic clock. */
  at: number;
  bytes: number;
  /** Images done, with the parts of images in progress. */
  images: number;
}

/** The rate is measured over this time. */
const WINDOW_MS = 20_000;
/** Least time between two samples. */
const STEP_MS = 500;
/** Before this time there is no rate. */
const MIN_MS = 1000;

/** Measures the rate of the copy, and estimates the time that is left. */
export class SyncPace {
  readonly #samples: Sample[] = [];
  #latest: Sample | undefined;

  /** @param at milliseconds of a monotonic clock */
  sample(at: number, bytes: number, images: number): void {
    this.#latest = { at, bytes, images };
    const last = this.#samples.at(-1);
    if (last && at - last.at < STEP_MS) return;
    this.#samples.push(this.#latest);
    while ((this.#samples[1]?.at ?? at) < at - WINDOW_MS) this.#samples.shift();
  }

  /** Bytes a second; undefined in the first second. */
  get rate(): number | undefined {
    const span = this.#span();
    return span && (span.bytes / span.ms) * 1000;
  }

  /** Estimated milliseconds for so many further images; undefined if no image was done lately. */
  timeFor(images: number): number | undefined {
    const span = this.#span();
    return span && span.images > 0 ? (images / span.images) * span.ms : undefined;
  }

  #span(): { ms: number; bytes: number; images: number } | undefined {
    const [first, last] = [this.#samples[0], this.#latest];
    if (!first || !last || last.at - first.at < MIN_MS) return undefined;
    return {
      ms: last.at - first.at,
      bytes: Math.max(0, last.bytes - first.bytes),
      images: Math.max(0, last.images - first.images),
    };
  }
}
