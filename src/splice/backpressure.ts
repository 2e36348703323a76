/** Holds whoever brings a body while the receiver is full or the check is behind. */
export class Brake {
  readonly #onRelease: () => void;
  #full = false;
  #behind = false;
  #held = false;

  /** @param onRelease called when what was held may go on */
  constructor(onRelease: () => void) {
    this.#onRelease = onRelease;
  }

  /** @returns whether to wait until the release */
  hold(full: boolean, behind: boolean): boolean {
    this.#full = full;
    this.#behind = behind;
    this.#held = full || behind;
    return this.#held;
  }

  /** Somebody else brings it, who was not told to wait. */
  free(): void {
    this.#held = false;
  }

  /** The receiver is not full any more. */
  hasRoom(): void {
    this.#full = false;
    this.#release();
  }

  /** The check is not behind any more. */
  caughtUp(): void {
    this.#behind = false;
    this.#release();
  }

  #release(): void {
    if (!this.#held || this.#full || this.#behind) return;
    this.#held = false;
    this.#onRelease();
  }
}
