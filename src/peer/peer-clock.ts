import type { TimeBounds } from '../failover/heard-time.ts';

/** How exactly a moment of another process is known. */
export interface PeerTime extends TimeBounds {
  /** Milliseconds by which it is most likely mistaken at most. The bounds are certain, and may be a second wide. */
  doubt: number;
}

/** Milliseconds by which two clocks drift apart until a question is answered at once again. */
const DRIFT_MS = 2;

/**
 * The clock of another process, which shares no zero with the one of this process. Each answer tells what it shows at some moment between
 * question and answer, so the difference of the two clocks lies between two bounds. The difference in use changes only if the bounds force
 * it to: the order of entries that were heard before must not depend on how long an answer took.
 */
export class PeerClock {
  /** Bounds of this clock minus the other one, in milliseconds. */
  #from = Number.NEGATIVE_INFINITY;
  #to = Number.POSITIVE_INFINITY;
  #difference: number | undefined;
  /** How long the last answer took that was given at once. */
  #quickMs: number | undefined;

  /**
   * This process's time of a moment that the other process tells.
   * @param asked when the question was sent, and `answered`, when the answer was here; monotonic milliseconds
   * @param stood the question stood there for a while, so that its answer shows only a part
   */
  toLocal(theirs: number, asked: number, answered: number, stood = false): number {
    if (!stood) this.#quickMs = answered - asked;
    const [from, to] = [asked - theirs, answered - theirs];
    const fits = from <= this.#to && to >= this.#from;
    // Clocks drift, and stand still while their host sleeps: then only the newest answer counts.
    this.#from = fits ? Math.max(from, this.#from) : from;
    this.#to = fits ? Math.min(to, this.#to) : to;
    const difference = this.#difference ?? (from + to) / 2;
    this.#difference = Math.min(Math.max(difference, this.#from), this.#to);
    return theirs + this.#difference;
  }

  /** The earliest and the latest time of this process that such a moment can have had. */
  bounds(theirs: number): PeerTime {
    const width = this.#to - this.#from;
    const doubt = Math.min(width, this.#quickMs === undefined ? width : this.#quickMs + DRIFT_MS);
    return { earliest: theirs + this.#from, latest: theirs + this.#to, doubt };
  }
}
