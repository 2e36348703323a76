/** Bounds how many may be somewhere at once; some more may wait for a place, first come first served. */
export class Turnstile {
  readonly #places: number;
  readonly #benches: number;
  readonly #waiting = new Set<() => void>();
  #inUse = 0;

  /** @param benches how many may wait */
  constructor(places: number, benches: number) {
    this.#places = places;
    this.#benches = benches;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether who comes now has to wait. */
  get full(): boolean {
    return this.#inUse >= this.#places;
  }

  /** Takes a place if one is free. */
  enter(): boolean {
    if (this.full) return false;
    this.#inUse += 1;
    return true;
  }

  /** Waits for a place and takes it. False: too many wait already, or the signal was aborted. */
  wait(signal: AbortSignal): Promise<boolean> {
    if (this.enter()) return Promise.resolve(true);
    if (this.#waiting.size >= this.#benches || signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (taken: boolean) => {
        this.#waiting.delete(take);
        signal.removeEventListener('abort', giveUp);
        resolve(taken);
      };
      const take = () => settle(true);
      const giveUp = () => settle(false);
      this.#waiting.add(take);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** Gives a place back; who has waited longest has it now. */
  leave(): void {
    const [first] = this.#waiting;
    if (first) first();
    else this.#inUse -= 1;
  }
}
