import { setTimeout as wait } from 'node:timers/promises';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';

export interface RetryPolicyOptions {
  /** Milliseconds for which one request is retried, and for which the registry may fail every request. */
  limitMs?: number;
  /** The first pause. Each further pause doubles, minus a random part of up to a half. */
  firstPauseMs?: number;
  longestPauseMs?: number;
  random?: () => number;
  /** Milliseconds of a monotonic clock. */
  now?: () => number;
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const DEFAULTS: Required<RetryPolicyOptions> = {
  limitMs: 180_000,
  firstPauseMs: 250,
  longestPauseMs: 15_000,
  random: Math.random,
  // A monotonic clock: a wall clock set back by an hour would stop requests for an hour.
  now: () => performance.now(),
  wait: (ms, signal) => wait(ms, undefined, { signal, ref: false }),
};

/** Reasons for which a retry would fail again. */
const NOT_RETRYABLE = new Set(['credentials', 'too-large', 'malformed', 'redirect-host', 'redirect-loop']);

/** Retries what a registry fails for the moment, and honours its Retry-After (RFC 9110) for all requests to that registry. */
export class RetryPolicy {
  readonly #options: Required<RetryPolicyOptions>;
  /** Until when no request is sent. */
  #retryAfterUntil = Number.NEGATIVE_INFINITY;
  /** Since when every request has failed, and the time of the last failure; undefined: the last request succeeded. */
  #failing: { since: number; seen: number } | undefined;

  constructor(options: RetryPolicyOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Whether a retry may succeed. */
  static isRetryable(error: unknown): boolean {
    if (error instanceof CopyError) return error.retryable;
    return error instanceof UpstreamError && !NOT_RETRYABLE.has(error.reason);
  }

  /** Milliseconds until the registry may be asked again. */
  get backoffMs(): number {
    return Math.max(0, this.#retryAfterUntil - this.#options.now());
  }

  /**
   * Runs `work` with retries.
   * @throws the last failure; the signal's reason
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#waitOutBackoff(signal);
    return this.#attempt(signal, this.#options.now(), 0, work);
  }

  /** Like `run`, for work that has just failed and restarts in another way after a pause. */
  async runAfterFailure<T>(failure: unknown, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const began = this.#options.now();
    this.#noteFailure(failure);
    await this.pause(0, signal);
    return this.#attempt(signal, began, 1, work);
  }

  /** Waits for the pause after so many tries and for the end of the backoff. @throws the signal's reason */
  async pause(tries: number, signal: AbortSignal): Promise<void> {
    await this.#options.wait(this.#pauseAfter(tries), signal);
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
          // A refusal shows that the registry works.
          if (error instanceof CopyError) this.#failing = undefined;
          throw error;
        }
        this.#noteFailure(error);
        const pause = this.#pauseAfter(tries);
        // Once a registry has failed every request for long enough, each caller gets a single try.
        const since = Math.min(began, this.#failing?.since ?? began);
        if (this.#options.now() - since + Math.max(this.backoffMs, pause) > this.#options.limitMs) throw error;
        await this.#options.wait(pause, signal);
        await this.#waitOutBackoff(signal);
      }
    }
  }

  #noteFailure(failure: unknown): void {
    const now = this.#options.now();
    // A failure that is older than the limit says nothing about now.
    const since = this.#failing && now - this.#failing.seen <= this.#options.limitMs ? this.#failing.since : now;
    this.#failing = { since, seen: now };
    const restMs = failure instanceof CopyError ? (failure.retryAfterMs ?? 0) : 0;
    this.#retryAfterUntil = Math.max(this.#retryAfterUntil, now + restMs);
  }

  #pauseAfter(tries: number): number {
    const { firstPauseMs, longestPauseMs, random } = this.#options;
    return Math.min(firstPauseMs * 2 ** Math.min(tries, 10), longestPauseMs) * (1 - random() / 2);
  }

  /** The backoff may be extended while a caller waits. A random part keeps the callers from returning all at once. */
  async #waitOutBackoff(signal: AbortSignal): Promise<void> {
    const { wait, firstPauseMs, random } = this.#options;
    while (this.backoffMs > 0) await wait(this.backoffMs + firstPauseMs * random(), signal);
  }
}
