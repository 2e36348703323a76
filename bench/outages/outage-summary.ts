import { percentile } from '../report/percentile.ts';
import { PRIMARY } from './failover-setup.ts';
import type { FinishedPull } from './pull-series.ts';

/** Times of an outage by `performance.now()`. */
export interface OutageTimes {
  /** Pulls count as steady from here on, when all caches are warm. */
  steady: number;
  /** Begin and end of the outage. */
  began: number;
  ended: number;
}

/** The pulls through one outage. Times are in milliseconds. */
export interface OutageSummary {
  pulls: number;
  failed: number;
  /** The first few failures: time since the outage began, and the reason. */
  errors: { at: number; error: string }[];
  /** The longest time between the ends of two good pulls, from the outage on. */
  gap: number;
  /** The longest such time before the outage. */
  steadyGap: number;
  /** 99th percentile of the duration of pulls in the steady state. */
  steadyP99: number;
  /** 99th percentile of pulls that began in the outage, without its first second. A failed pull counts as endless. */
  outageP99: number;
  slowestPulls: { at: number; took: number; upstreams: string[] }[];
  /** Time from the end of the outage until the primary serves again for a second; Infinity if never. */
  back: number;
  /** How often, after that, several pulls in a row were not served by the primary. */
  relapses: number;
}

const FIRST_SECOND_MS = 1000;
const SHARE = 0.99;
const FEW = 5;
/** Pulls in a row from the primary after which the primary serves again: those of one second. */
const HOME_RUN = 20;
/** Pulls in a row from the fallback that count as a relapse. Fewer are hedges that the fallback won. */
const RELAPSE_RUN = 3;

export function summarizeOutage(all: readonly FinishedPull[], { steady, began, ended }: OutageTimes): OutageSummary {
  const good = all.filter(({ error }) => error === undefined);
  const at = (pull: FinishedPull) => Math.round(pull.began - began);
  const before = good.filter((pull) => pull.ended >= steady && pull.ended < began);
  const within = all.filter((pull) => pull.began >= began + FIRST_SECOND_MS && pull.began < ended);
  return {
    pulls: all.length,
    failed: all.length - good.length,
    errors: all
      .flatMap((pull) => (pull.error === undefined ? [] : [{ at: at(pull), error: pull.error }]))
      .slice(0, FEW),
    gap: longestGap([...before.slice(-1), ...good.filter((pull) => pull.ended >= began)]),
    steadyGap: longestGap(before),
    steadyP99: percentile(before.map(duration), SHARE),
    outageP99: percentile(within.map(duration), SHARE),
    slowestPulls: good
      .toSorted((a, b) => duration(b) - duration(a))
      .slice(0, FEW)
      .map((pull) => ({ at: at(pull), took: Math.round(duration(pull)), upstreams: pull.upstreams })),
    ...recovery(good, ended),
  };
}

/** Whether the primary serves again. @param ended end of the outage */
export function isBack(all: readonly FinishedPull[], ended: number): boolean {
  return Number.isFinite(recovery(all, ended).back);
}

function recovery(all: readonly FinishedPull[], ended: number): Pick<OutageSummary, 'back' | 'relapses'> {
  const after = all.filter((pull) => pull.began >= ended).toSorted((a, b) => a.began - b.began);
  const runs = runsOf(after.map(fromPrimary));
  const home = runs.find(({ primary, length }) => primary && length >= HOME_RUN);
  const first = home && after[home.from];
  if (!first) return { back: Number.POSITIVE_INFINITY, relapses: 0 };
  const relapses = runs.filter(({ primary, from, length }) => !primary && from > home.from && length >= RELAPSE_RUN);
  return { back: first.ended - ended, relapses: relapses.length };
}

interface StretchOfPulls {
  primary: boolean;
  from: number;
  length: number;
}

function runsOf(primary: readonly boolean[]): StretchOfPulls[] {
  const runs: StretchOfPulls[] = [];
  for (const [from, one] of primary.entries()) {
    const last = runs.at(-1);
    if (last?.primary === one) last.length += 1;
    else runs.push({ primary: one, from, length: 1 });
  }
  return runs;
}

function fromPrimary({ upstreams, error }: FinishedPull): boolean {
  return error === undefined && upstreams.every((name) => name === PRIMARY);
}

function duration({ began, ended, error }: FinishedPull): number {
  return error === undefined ? ended - began : Number.POSITIVE_INFINITY;
}

function longestGap(pulls: readonly FinishedPull[]): number {
  const ends = pulls.map(({ ended }) => ended).toSorted((a, b) => a - b);
  return ends.length > 1 ? Math.max(...ends.slice(1).map((end, index) => end - (ends[index] ?? end))) : Number.NaN;
}
