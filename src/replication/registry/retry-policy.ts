import { setTimeout as wait } from 'node:timers/promises';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';

export interface PatienceOptions {
  /** Milliseconds in which something is tried again and again; and in which the registry may fail in all it is asked. */
  limit?: number;
  /** Of the first pause; each further one is twice as long, and shortened by chance by up to a half. */
  pause?: number;
  longestPause?: number;
  random?: () => number;
  /** Milliseconds that never go back. */
  now?: () => number;
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const LIMIT_MS = 180_000;
const PAUSE_MS = 250;
const LONGEST_MS = 15_000;

/** What another try would meet again. */
const FINAL = new Set(['credentials', 'too-large', 'malformed', 'redirect-host', 'redirect-loop']);

/** Tries what one registry fails for the moment again, and leaves the registry alone for as long as it asks (RFC 9110 Retry-After). */
export class Patience {
  readonly #limit: number;
  readonly #pause: number;
  readonly #longest: number;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #wait: NonNullable<PatienceOptions['wait']>;
  /** Until when nobody asks. */
  #restingUntil = Number.NEGATIVE_INFINITY;
  /** Since when nothing has gone well, and when that was seen last; undefined: it has. */
  #failing: { since: number; seen: number } | undefined;

  constructor(options: PatienceOptions = {}) {
    this.#limit = options.limit ?? LIMIT_MS;
    this.#pause = options.pause ?? PAUSE_MS;
    this.#longest = options.longestPause ?? LONGEST_MS;
    this.#random = options.random ?? Math.random;
    // Not the time of day: set back by an hour it would let the registry rest for one more.
    this.#now = options.now ?? (() => performance.now());
    this.#wait = options.wait ?? ((ms, signal) => wait(ms, undefined, { signal, ref: false }));
  }

  /** Whether another try may go better. */
  static mayPass(error: unknown): boolean {
    if (error instanceof CopyError) return error.passing;
    return error instanceof UpstreamError && !FINAL.has(error.reason);
  }

  /** Milliseconds for which the registry is still left alone. */
  get resting(): number {
    return Math.max(0, this.#restingUntil - this.#now());
  }

  /** @throws what the last try threw; the signal's reason */
  async with<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#rested(signal);
    return this.#tries(signal, this.#now(), 0, work);
  }

  /** The same for what has just failed and is begun anew in another way, after a pause. */
  async after<T>(failure: unknown, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const began = this.#now();
    this.#note(failure);
    await this.pause(0, signal);
    return this.#tries(signal, began, 1, work);
  }

  /** A pause after so many tries, and until the registry may be asked. @throws the signal's reason */
  async pause(tries: number, signal: AbortSignal): Promise<void> {
    await this.#wait(this.#pauseAfter(tries), signal);
    await this.#rested(signal);
  }

  async #tries<T>(signal: AbortSignal, began: number, before: number, work: () => Promise<T>): Promise<T> {
    for (let tries = before; ; tries += 1) {
      signal.throwIfAborted();
      try {
        const done = await work();
        this.#failing = undefined;
        return done;
      } catch (error) {
        signal.throwIfAborted();
        if (!Patience.mayPass(error)) {
          // A refusal is an answer.
          if (error instanceof CopyError) this.#failing = undefined;
          throw error;
        }
        this.#note(error);
        const pause = this.#pauseAfter(tries);
        // One that has failed in everything for long enough is given a single try by each.
        const since = Math.min(began, this.#failing?.since ?? began);
        if (this.#now() - since + Math.max(this.resting, pause) > this.#limit) throw error;
        await this.#wait(pause, signal);
        await this.#rested(signal);
      }
    }
  }

  #note(failure: unknown): void {
    const now = this.#now();
    // What was long ago says nothing of now: nobody may have asked since.
    const since = this.#failing && now - this.#failing.seen <= this.#limit ? this.#failing.since : now;
    this.#failing = { since, seen: now };
    const restMs = failure instanceof CopyError ? (failure.restMs ?? 0) : 0;
    this.#restingUntil = Math.max(this.#restingUntil, now + restMs);
  }

  #pauseAfter(tries: number): number {
    return Math.min(this.#pause * 2 ** Math.min(tries, 10), this.#longest) * (1 - this.#random() / 2);
  }

  /** Others may learn meanwhile that it is to rest longer; and not all of them are to come in the same moment. */
  async #rested(signal: AbortSignal): Promise<void> {
    while (this.resting > 0) await this.#wait(this.resting + this.#pause * this.#random(), signal);
  }
}
