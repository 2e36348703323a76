/** Late answers in a row after which the URL is suspected. */
const SLOW_AFTER_LATE = 3;

/** Whether other URLs are asked before this one, although its probes have not failed yet. */
export class Suspicion {
  /** Traffic met trouble, and no probe has been good since. */
  #suspected = false;
  #since = 0;
  /** Suspected because of late answers only. */
  #asSlow = false;
  /** The canary, read because of a failure, is later than usual. */
  #canarySilent = false;
  /** Late answers since the last good one. */
  #lateInRow = 0;

  get suspected(): boolean {
    return this.#suspected || this.#canarySilent;
  }

  /** Late answers, of requests or of the canary, are the only trouble. */
  get asSlow(): boolean {
    return this.suspected && (!this.#suspected || this.#asSlow);
  }

  suspect(now: number): void {
    this.#suspected = true;
    this.#asSlow = false;
    this.#since = now;
  }

  /** Some late answers change nothing. Several in a row make the URL suspected until a probe shows its state. */
  late(times: number, now: number): void {
    this.#lateInRow += times;
    if (this.#lateInRow < SLOW_AFTER_LATE) return;
    const slow = !this.#suspected || this.#asSlow;
    this.suspect(now);
    this.#asSlow = slow;
  }

  /** A probe was good, but took longer than a probe may. */
  slowProbe(now: number): void {
    this.late(SLOW_AFTER_LATE, now);
  }

  answeredInTime(): void {
    this.#lateInRow = 0;
  }

  canaryIs(silent: boolean): void {
    this.#canarySilent = silent;
  }

  /** A probe was good. One that began before the trouble says nothing about it. */
  probeWasGood(began: number): void {
    if (began >= this.#since) this.#suspected = false;
  }
}
