import { InvalidArgumentError } from 'commander';
import type { Validity } from '../../certificates/certificate-maker.ts';

const DAY = 86_400_000;
const MOST_DAYS = 36_500;

/** Reads an option that is a number of days. */
export function days(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > MOST_DAYS)
    throw new InvalidArgumentError(`expected whole days, 1 to ${MOST_DAYS}`);
  return Number(text);
}

/** A validity that begins an hour ago, for clocks that differ. @param now epoch milliseconds */
export function validFor(count: number, now: number): Validity {
  return { from: new Date(now - 3_600_000), until: new Date(now + count * DAY) };
}

export function daysUntil(date: Date, now: number): number {
  return Math.floor((date.getTime() - now) / DAY);
}
