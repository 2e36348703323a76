import { setTimeout as wait } from 'node:timers/promises';

/** Bytes that may pass at once after a while without any, as milliseconds of the rate. */
const BURST_MS = 100;

/** Holds transfers to a rate that they share. */
export class Bandwidth {
  readonly #perSecond: number;
  /** When what passed so far would have been through at that rate; milliseconds of a clock that never goes back. */
  #through = Number.NEGATIVE_INFINITY;

  /** @param perSecond bytes; 0: no bound */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Resolves when so many bytes may have passed. @throws the signal's reason */
  async pass(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#perSecond === 0) return;
    const now = performance.now();
    this.#through = Math.max(this.#through, now - BURST_MS) + (bytes / this.#perSecond) * 1000;
    const ahead = this.#through - now;
    if (ahead > 0) await wait(ahead, undefined, { signal, ref: false });
  }
}
