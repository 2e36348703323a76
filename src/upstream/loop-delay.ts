import { monotonicNow } from '../clock/clock.ts';

/** Milliseconds between the ticks that show whether the event loop turns. */
const TICK_MS = 25;
/** Milliseconds. Shorter standstills do not matter. */
const NOTABLE_MS = 100;

/** Measures for how long the event loop stood still: this process was busy, or the machine gave it no CPU. */
export class LoopDelay {
  readonly #timer: NodeJS.Timeout;
  readonly #began = monotonicNow();
  #tickedAt = this.#began;
  #blocked = 0;
  /** The last standstill of the event loop, and when it ended. */
  #last = { ms: 0, endedAt: 0 };

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Milliseconds since the start of the measurement in which the event loop stood still. */
  get blockedMs(): number {
    return this.#blocked + this.#late();
  }

  /**
   * Whole milliseconds that an answer took which has just been read. It may have lain unread in the socket while the event loop stood still
   * just before.
   */
  get answeredAfterMs(): number {
    const now = monotonicNow();
    this.#tick();
    const unread = now - this.#last.endedAt < this.#last.ms ? this.#last.ms : 0;
    return Math.round(now - this.#began - unread);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const late = this.#late();
    this.#blocked += late;
    this.#tickedAt = monotonicNow();
    if (late > NOTABLE_MS) this.#last = { ms: late, endedAt: this.#tickedAt };
  }

  #late(): number {
    return Math.max(0, monotonicNow() - this.#tickedAt - TICK_MS);
  }
}
