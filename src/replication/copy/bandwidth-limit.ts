import { setTimeout as wait } from 'node:timers/promises';

/** Burst after a pause, as milliseconds of the configured rate. */
const BURST_MS = 100;

/** Limits all transfers together to one rate. */
export class BandwidthLimit {
  readonly #bytesPerSecond: number;
  /** Time at which the bytes so far would have been sent at that rate; milliseconds of a monotonic clock. */
  #busyUntil = Number.NEGATIVE_INFINITY;

  /** @param bytesPerSecond 0: no limit */
  constructor(perSecond: number) {
    this.#bytesPerSecond = perSecond;
  }

  /**
   * Resolves when this many bytes may be sent.
   * @throws the signal's reason
   */
  async acquire(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === 0) return;
    const now = performance.now();
    this.#busyUntil = Math.max(this.#busyUntil, now - BURST_MS) + (bytes / this.#bytesPerSecond) * 1000;
    const ahead = this.#busyUntil - now;
    if (ahead > 0) await wait(ahead, undefined, { signal, ref: false });
  }
}
