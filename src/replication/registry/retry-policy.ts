import { setTimeout as wait } from 'node:timers/promises';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';
import { RegistryBackoff } from './registry-backoff.ts';
import type { RequestPace } from './request-pace.ts';

export interface RetryPolicyOptions {
  /** Milliseconds for which one request is retried, and for which the registry may fail every request. */
  limitMs?: number;
  /** The first pause. Each further pause doubles, minus a random part of up to a half. */
  firstPauseMs?: number;
  longestPauseMs?: number;
  /**
   * Whether a request waits while its registry asks for a pause. Otherwise it fails at once, and whatever it belongs to
   * tries again later. Default: it waits.
   */
  waits?: boolean;
  /** Pauses that the registry asked for. Policies of one registry share them. */
  backoff?: RegistryBackoff;
  /** Resolves when the next request may be sent. Default: at once. */
  turn?: (signal: AbortSignal) => Promise<void>;
  random?: () => number;
  /** Milliseconds of a monotonic clock. */
  now?: () => number;
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const DEFAULTS: Omit<Required<RetryPolicyOptions>, 'backoff'> = {
  limitMs: 180_000,
  firstPauseMs: 250,
  longestPauseMs: 15_000,
  waits: true,
  turn: async () => undefined,
  random: () => Math.random(),
  // A monotonic clock: a wall clock set back by an hour would stop requests for an hour.
  now: () => performance.now(),
  wait: (ms, signal) => wait(ms, undefined, { signal, ref: false }),
};

/** Milliseconds for which a request of a copy is retried. The copy itself is retried later. */
const COPY_LIMIT_MS = 500;

/** Reasons for which a retry would fail again. */
const NOT_RETRYABLE = new Set(['credentials', 'too-large', 'malformed', 'redirect-host', 'redirect-loop']);

/**
 * Retries what a registry fails for the moment, and honours its Retry-After (RFC 9110), see `RegistryBackoff`.
 */
export class RetryPolicy {
  readonly #options: Required<RetryPolicyOptions>;
  /** Since when every request has failed, and the time of the last failure; undefined: the last request succeeded. */
  #failing: { since: number; seen: number } | undefined;

  constructor(options: RetryPolicyOptions = {}) {
    this.#options = { ...DEFAULTS, backoff: new RegistryBackoff(), ...options };
  }

  /** The policy of copies that can be tried again later: one quick retry, and no waiting. */
  forCopies(): RetryPolicy {
    const limitMs = Math.min(COPY_LIMIT_MS, this.#options.limitMs);
    return new RetryPolicy({ ...this.#options, limitMs, waits: false });
  }

  /** The policy of looks between comparisons: like that of copies, and no faster than the pace. */
  paced(pace: RequestPace): RetryPolicy {
    return new RetryPolicy({ ...this.forCopies().#options, turn: (signal) => pace.turn(signal) });
  }

  /** Whether a retry may succeed. */
  static isRetryable(error: unknown): boolean {
    if (error instanceof CopyError) return error.retryable;
    return error instanceof UpstreamError && !NOT_RETRYABLE.has(error.reason);
  }

  /** Milliseconds for which a request that fails is retried. */
  get limitMs(): number {
    return this.#options.limitMs;
  }

  /** Milliseconds until the registry may be asked about a repository again. */
  backoffMs(repository: string): number {
    const { backoff, now, waits } = this.#options;
    return backoff.remainingMs(repository, now(), waits);
  }

  /**
   * Runs `work` with retries.
   * @param repository what it is about; empty: the registry as a whole
   * @throws the last failure; the signal's reason
   */
  async run<T>(repository: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#waitOutBackoff(repository, signal);
    return this.#attempt({ repository, signal, began: this.#options.now() }, 0, work);
  }

  /** Like `run`, for work that has just failed and restarts in another way after a pause. */
  async runAfterFailure<T>(
    failure: unknown,
    repository: string,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    const began = this.#options.now();
    this.#noteFailure(failure, repository);
    await this.pause(0, repository, signal);
    return this.#attempt({ repository, signal, began }, 1, work);
  }

  /** Waits for the pause after so many tries and for the end of the backoff. @throws CopyError; the signal's reason */
  async pause(tries: number, repository: string, signal: AbortSignal): Promise<void> {
    await this.#options.wait(this.#pauseAfter(tries), signal);
    await this.#waitOutBackoff(repository, signal);
  }

  async #attempt<T>(
    { repository, signal, began }: { repository: string; signal: AbortSignal; began: number },
    before: number,
    work: () => Promise<T>,
  ): Promise<T> {
    for (let tries = before; ; tries += 1) {
      await this.#options.turn(signal);
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
        this.#noteFailure(error, repository);
        const pause = this.#pauseAfter(tries);
        // Once a registry has failed every request for long enough, each caller gets a single try.
        const since = Math.min(began, this.#failing?.since ?? began);
        const waitMs = Math.max(this.backoffMs(repository), pause);
        if (this.#options.now() - since + waitMs > this.#options.limitMs) throw error;
        await this.#options.wait(pause, signal);
        await this.#waitOutBackoff(repository, signal);
      }
    }
  }

  #noteFailure(failure: unknown, repository: string): void {
    const now = this.#options.now();
    // A failure that is older than the limit says nothing about now.
    const since = this.#failing && now - this.#failing.seen <= this.#options.limitMs ? this.#failing.since : now;
    this.#failing = { since, seen: now };
    const restMs = failure instanceof CopyError ? (failure.retryAfterMs ?? 0) : 0;
    if (restMs > 0) this.#options.backoff.asked(repository, restMs, now);
  }

  #pauseAfter(tries: number): number {
    const { firstPauseMs, longestPauseMs, random } = this.#options;
    return Math.min(firstPauseMs * 2 ** Math.min(tries, 10), longestPauseMs) * (1 - random() / 2);
  }

  /** The backoff may be extended while a caller waits. A random part keeps the callers from returning all at once. */
  async #waitOutBackoff(repository: string, signal: AbortSignal): Promise<void> {
    const { wait, waits, firstPauseMs, random, limitMs } = this.#options;
    for (let ms = this.backoffMs(repository); ms > 0; ms = this.backoffMs(repository)) {
      if (!waits && ms > limitMs)
        throw new CopyError(stillPaused(repository, ms), { retryable: true, retryAfterMs: ms });
      await wait(ms + firstPauseMs * random(), signal);
    }
  }
}

function stillPaused(repository: string, ms: number): string {
  const what = repository === '' ? 'the registry' : repository;
  return `${what} is rate-limited for ${Math.ceil(ms / 1000)} s more`;
}
