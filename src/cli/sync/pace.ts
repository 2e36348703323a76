interface Sample {
  /** Milliseconds. */
  at: number;
  bytes: number;
  /** Images done, and parts of those under way. */
  images: number;
}

/** Over which the pace is measured, in milliseconds. */
const WINDOW_MS = 20_000;
/** Between samples. */
const STEP_MS = 500;
/** Of which nothing is said yet. */
const MIN_MS = 1000;

/** How fast it goes, and so how long it will take. */
export class SyncPace {
  readonly #samples: Sample[] = [];
  #latest: Sample | undefined;

  /** @param at milliseconds of any clock that only goes forward */
  note(at: number, bytes: number, images: number): void {
    this.#latest = { at, bytes, images };
    const last = this.#samples.at(-1);
    if (last && at - last.at < STEP_MS) return;
    this.#samples.push(this.#latest);
    while ((this.#samples[1]?.at ?? at) < at - WINDOW_MS) this.#samples.shift();
  }

  /** Bytes a second lately; undefined: it has only begun. */
  get rate(): number | undefined {
    const span = this.#span();
    return span && (span.bytes / span.ms) * 1000;
  }

  /** Milliseconds for so many further images; undefined: nobody can say. */
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
