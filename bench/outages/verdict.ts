import { percentile } from '../report/percentile.ts';
import { PRIMARY } from './place.ts';
import type { Ended } from './pull-series.ts';

/** When what happened, by `performance.now()`. */
export interface Moments {
  /** From here on pulls count as steady: what was warming up is warm. */
  steady: number;
  /** The outage. */
  began: number;
  ended: number;
}

/** What a series of pulls through one outage was like. Times in milliseconds. */
export interface Verdict {
  pulls: number;
  failed: number;
  /** Why the first one failed. */
  firstError?: string;
  /** The longest time from the end of one good pull to that of the next, from the outage on. */
  gap: number;
  /** The same before the outage. */
  steadyGap: number;
  /** 99 of 100 pulls of the steady state did not take longer. */
  steadyP99: number;
  /** The same for those begun in the outage, but for its first second; a failed one never ends. */
  outageP99: number;
  slowest: number;
  /** From the end of the outage to the end of the first pull from which on the primary served everything; never: Infinity. */
  back: number;
  /** How often, after that end, a pull that the primary served was followed by one that it did not. */
  relapses: number;
}

const FIRST_SECOND_MS = 1000;
const SHARE = 0.99;

export function judge(all: readonly Ended[], { steady, began, ended }: Moments): Verdict {
  const good = all.filter(({ error }) => error === undefined);
  const firstError = all.find(({ error }) => error !== undefined)?.error;
  const before = good.filter((pull) => pull.ended >= steady && pull.ended < began);
  const within = all.filter((pull) => pull.began >= began + FIRST_SECOND_MS && pull.began < ended);
  return {
    pulls: all.length,
    failed: all.length - good.length,
    ...(firstError === undefined ? {} : { firstError }),
    gap: longestGap([...before.slice(-1), ...good.filter((pull) => pull.ended >= began)]),
    steadyGap: longestGap(before),
    steadyP99: percentile(before.map(duration), SHARE),
    outageP99: percentile(within.map(duration), SHARE),
    slowest: Math.max(...good.map(duration)),
    ...recovery(
      good.filter((pull) => pull.began >= ended),
      ended,
    ),
  };
}

/** Whether the primary serves again, as far as can be seen by now: every pull of the last second came from it. */
export function isBack(all: readonly Ended[], ended: number, now: number): boolean {
  const last = all.filter((pull) => pull.began >= ended && pull.ended >= now - FIRST_SECOND_MS);
  return last.length > 10 && last.every(fromPrimary);
}

function recovery(after: readonly Ended[], ended: number): Pick<Verdict, 'back' | 'relapses'> {
  const served = after.toSorted((a, b) => a.began - b.began);
  const last = served.findLastIndex((pull) => !fromPrimary(pull));
  const first = served[last + 1];
  const relapses = served.filter((pull, index) => {
    const previous = served[index - 1];
    return previous !== undefined && fromPrimary(previous) && !fromPrimary(pull);
  }).length;
  return { back: first ? first.ended - ended : Number.POSITIVE_INFINITY, relapses };
}

function fromPrimary({ upstreams, error }: Ended): boolean {
  return error === undefined && upstreams.every((name) => name === PRIMARY);
}

function duration({ began, ended, error }: Ended): number {
  return error === undefined ? ended - began : Number.POSITIVE_INFINITY;
}

function longestGap(pulls: readonly Ended[]): number {
  const ends = pulls.map(({ ended }) => ended).toSorted((a, b) => a - b);
  return ends.length > 1 ? Math.max(...ends.slice(1).map((end, index) => end - (ends[index] ?? end))) : Number.NaN;
}
