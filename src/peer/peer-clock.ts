import type { TimeBounds } from '../failover/heard-time.ts';

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

  /**
   * This process's time of a moment that the other process tells.
   * @param asked when the question was sent, and `answered`, when the answer was here; monotonic milliseconds
   */
  toLocal(theirs: number, asked: number, answered: number): number {
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
  bounds(theirs: number): TimeBounds {
    return { earliest: theirs + this.#from, latest: theirs + this.#to };
  }
}
