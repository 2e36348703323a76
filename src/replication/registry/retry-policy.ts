import { setTimeout as wait } from 'node:timers/promises';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';

export interface RetryPolicyOptions {
  /** Milliseconds in which something is tried again and again; and in which the registry may fail in all it is asked. */
  limitMs?: number;
  /** Of the first pause; each further one is twice as long, and shortened by chance by up to a half. */
  firstPauseMs?: number;
  longestPauseMs?: number;
  random?: () => number;
  /** Milliseconds that never go back. */
  now?: () => number;
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const LIMIT_MS = 180_000;
const PAUSE_MS = 250;
const LONGEST_MS = 15_000;

/** What another try would meet again. */
const NOT_RETRYABLE = new Set(['credentials', 'too-large', 'malformed', 'redirect-host', 'redirect-loop']);

/** Tries what one registry fails for the moment again, and leaves the registry alone for as long as it asks (RFC 9110 Retry-After). */
export class RetryPolicy {
  readonly #limitMs: number;
  readonly #pause: number;
  readonly #longest: number;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #wait: NonNullable<RetryPolicyOptions['wait']>;
  /** Until when nobody asks. */
  #retryAfterUntil = Number.NEGATIVE_INFINITY;
  /** Since when nothing has gone well, and when that was seen last; undefined: it has. */
  #failing: { since: number; seen: number } | undefined;

  constructor(options: RetryPolicyOptions = {}) {
    this.#limitMs = options.limitMs ?? LIMIT_MS;
    this.#pause = options.firstPauseMs ?? PAUSE_MS;
    this.#longest = options.longestPauseMs ?? LONGEST_MS;
    this.#random = options.random ?? Math.random;
    // Not the time of day: set back by an hour it would let the registry rest for one more.
    this.#now = options.now ?? (() => performance.now());
    this.#wait = options.wait ?? ((ms, signal) => wait(ms, undefined, { signal, ref: false }));
  }

  /** Whether another try may go better. */
  static isRetryable(error: unknown): boolean {
    if (error instanceof CopyError) return error.retryable;
    return error instanceof UpstreamError && !NOT_RETRYABLE.has(error.reason);
  }

  /** Milliseconds for which the registry is still left alone. */
  get backoffMs(): number {
    return Math.max(0, this.#retryAfterUntil - this.#now());
  }

  /** @throws what the last try threw; the signal's reason */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#waitOutBackoff(signal);
    return this.#attempt(signal, this.#now(), 0, work);
  }

  /** The same for what has just failed and is begun anew in another way, after a pause. */
  async runAfterFailure<T>(failure: unknown, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const began = this.#now();
    this.#noteFailure(failure);
    await this.pause(0, signal);
    return this.#attempt(signal, began, 1, work);
  }

  /** A pause after so many tries, and until the registry may be asked. @throws the signal's reason */
  async pause(tries: number, signal: AbortSignal): Promise<void> {
    await this.#wait(this.#pauseAfter(tries), signal);
    await this.#waitOutBackoff(signal);
  }

  async #attempt<T>(signal: AbortSignal, began: number, before: number, work: () => Promise<T>): Promise<T> {
    for (let tries = before; ; tries += 1) {
      signal.throwIfAborted();
      try {
        const done = await work();
        this.#failing = undefined;
        return done;
      } catch (error) {
        signal.throwIfAborted();
        if (!RetryPolicy.isRetryable(error)) {
          // A refusal is an answer.
          if (error instanceof CopyError) this.#failing = undefined;
          throw error;
        }
        this.#noteFailure(error);
        const pause = this.#pauseAfter(tries);
        // One that has failed in everything for long enough is given a single try by each.
        const since = Math.min(began, this.#failing?.since ?? began);
        if (this.#now() - since + Math.max(this.backoffMs, pause) > this.#limitMs) throw error;
        await this.#wait(pause, signal);
        await this.#waitOutBackoff(signal);
      }
    }
  }

  #noteFailure(failure: unknown): void {
    const now = this.#now();
    // What was long ago says nothing of now: nobody may have asked since.
    const since = this.#failing && now - this.#failing.seen <= this.#limitMs ? this.#failing.since : now;
    this.#failing = { since, seen: now };
    const restMs = failure instanceof CopyError ? (failure.retryAfterMs ?? 0) : 0;
    this.#retryAfterUntil = Math.max(this.#retryAfterUntil, now + restMs);
  }

  #pauseAfter(tries: number): number {
    return Math.min(this.#pause * 2 ** Math.min(tries, 10), this.#longest) * (1 - this.#random() / 2);
  }

  /** Others may learn meanwhile that it is to rest longer; and not all of them are to come in the same moment. */
  async #waitOutBackoff(signal: AbortSignal): Promise<void> {
    while (this.backoffMs > 0) await this.#wait(this.backoffMs + this.#pause * this.#random(), signal);
  }
}
