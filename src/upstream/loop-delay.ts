import { monotonicNow } from '../clock/clock.ts';

/** Milliseconds between the ticks that show whether the event loop turns. */
const TICK_MS = 25;

/** Measures for how long the event loop stood still: this process was busy, or the machine gave it no CPU. */
export class LoopDelay {
  readonly #timer: NodeJS.Timeout;
  #tickedAt = monotonicNow();
  #blocked = 0;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Milliseconds since the start of the measurement in which the event loop stood still. */
  get blockedMs(): number {
    return this.#blocked + this.#late();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.#blocked += this.#late();
    this.#tickedAt = monotonicNow();
  }

  #late(): number {
    return Math.max(0, monotonicNow() - this.#tickedAt - TICK_MS);
  }
}
