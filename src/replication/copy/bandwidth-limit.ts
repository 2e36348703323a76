import { setTimeout as wait } from 'node:timers/promises';

/** Bytes that may pass at once after a while without any, as milliseconds of the rate. */
const BURST_MS = 100;

/** Holds transfers to a rate that they share. */
export class BandwidthLimit {
  readonly #bytesPerSecond: number;
  /** When what passed so far would have been through at that rate; milliseconds of a clock that never goes back. */
  #busyUntil = Number.NEGATIVE_INFINITY;

  /** @param perSecond bytes; 0: no bound */
  constructor(perSecond: number) {
    this.#bytesPerSecond = perSecond;
  }

  /** Resolves when so many bytes may have passed. @throws the signal's reason */
  async acquire(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === 0) return;
    const now = performance.now();
    this.#busyUntil = Math.max(this.#busyUntil, now - BURST_MS) + (bytes / this.#bytesPerSecond) * 1000;
    const ahead = this.#busyUntil - now;
    if (ahead > 0) await wait(ahead, undefined, { signal, ref: false });
  }
}
