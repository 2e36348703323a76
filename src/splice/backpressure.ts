/** Pauses a body's source while the sink is full or the digest check is behind. */
export class Backpressure {
  readonly #onResume: () => void;
  #sinkFull = false;
  #checkBehind = false;
  #paused = false;

  /** @param onResume called when a paused source may send again */
  constructor(onResume: () => void) {
    this.#onResume = onResume;
  }

  /** @returns whether the source must pause until `onResume` */
  update(sinkFull: boolean, checkBehind: boolean): boolean {
    this.#sinkFull = sinkFull;
    this.#checkBehind = checkBehind;
    this.#paused = sinkFull || checkBehind;
    return this.#paused;
  }

  /** A new leg replaced the paused one; the new source was never told to pause. */
  reset(): void {
    this.#paused = false;
  }

  sinkDrained(): void {
    this.#sinkFull = false;
    this.#resumeIfClear();
  }

  checkDrained(): void {
    this.#checkBehind = false;
    this.#resumeIfClear();
  }

  #resumeIfClear(): void {
    if (!this.#paused || this.#sinkFull || this.#checkBehind) return;
    this.#paused = false;
    this.#onResume();
  }
}
