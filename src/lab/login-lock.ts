const MAX_NAMES = 1000;

/** Harbor's lock of a name after a wrong password (src/core/auth/lock.go). */
export class LoginLock {
  readonly #ms: number;
  /** Until when a name is locked, the oldest lock first; monotonic milliseconds. */
  readonly #until = new Map<string, number>();

  constructor(ms: number) {
    this.#ms = ms;
  }

  isLocked(name: string): boolean {
    return performance.now() <= (this.#until.get(name) ?? 0);
  }

  /** @returns milliseconds after which the wrong password is refused */
  lock(name: string): number {
    this.#until.delete(name);
    this.#until.set(name, performance.now() + this.#ms);
    const oldest = this.#until.keys().next().value;
    if (oldest !== undefined && this.#until.size > MAX_NAMES) this.#until.delete(oldest);
    return this.#ms;
  }
}
