import { setTimeout as delay } from 'node:timers/promises';
import { timeLimit } from './time-limit.ts';

export interface UntilOptions {
  /** Milliseconds. */
  timeout?: number;
  /** Milliseconds between looks. */
  every?: number;
  /** What was waited for, for the error. */
  what?: () => string;
}

/** Looks again and again until there is a value. For what sends no event: logs and states of other processes. */
export async function until<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  { timeout = 15_000, every = 20, what = () => 'a condition' }: UntilOptions = {},
): Promise<T> {
  const limit = timeLimit(timeout);
  const deadline = performance.now() + limit;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`waited ${limit} ms in vain for ${what()}`);
    await delay(every);
  }
}
