import { setTimeout as wait } from 'node:timers/promises';
import { UpstreamError } from '../upstream/upstream-error.ts';
import { CopyError } from './copy-error.ts';

export interface PatienceOptions {
  /** Milliseconds in which something is tried again and again. */
  limit?: number;
  /** Of the first pause; each further one is twice as long, and shortened by chance by up to a half. */
  pause?: number;
  longestPause?: number;
  random?: () => number;
  now?: () => number;
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const LIMIT_MS = 180_000;
const PAUSE_MS = 250;
const LONGEST_MS = 15_000;

/** Tries what one registry fails for the moment again, and leaves the registry alone for as long as it asks (RFC 9110 Retry-After). */
export class Patience {
  readonly #limit: number;
  readonly #pause: number;
  readonly #longest: number;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #wait: NonNullable<PatienceOptions['wait']>;
  /** Until when nobody asks; epoch milliseconds. */
  #restingUntil = 0;

  constructor(options: PatienceOptions = {}) {
    this.#limit = options.limit ?? LIMIT_MS;
    this.#pause = options.pause ?? PAUSE_MS;
    this.#longest = options.longestPause ?? LONGEST_MS;
    this.#random = options.random ?? Math.random;
    this.#now = options.now ?? Date.now;
    this.#wait = options.wait ?? ((ms, signal) => wait(ms, undefined, { signal, ref: false }));
  }

  /** Milliseconds for which the registry is still left alone. */
  get resting(): number {
    return Math.max(0, this.#restingUntil - this.#now());
  }

  /** @throws what the last try threw; the signal's reason */
  async with<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const began = this.#now();
    for (let tries = 0; ; tries += 1) {
      if (this.resting > 0) await this.#wait(this.resting, signal);
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        const restMs = error instanceof CopyError ? (error.restMs ?? 0) : 0;
        const pause = Math.min(this.#pause * 2 ** Math.min(tries, 10), this.#longest) * (1 - this.#random() / 2);
        if (this.#now() - began + Math.max(restMs, pause) > this.#limit) throw error;
        this.#restingUntil = Math.max(this.#restingUntil, this.#now() + restMs);
        await this.#wait(pause, signal);
      }
    }
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof CopyError) return error.passing;
  // Of a single request: that of the whole was looked at before.
  if (error instanceof DOMException && error.name === 'TimeoutError') return true;
  return error instanceof UpstreamError && !FINAL.has(error.reason);
}

/** What another try would meet again. */
const FINAL = new Set(['too-large', 'malformed', 'redirect-host', 'redirect-loop']);
