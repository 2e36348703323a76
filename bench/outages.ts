import { setTimeout as delay } from 'node:timers/promises';
import type { Owner } from '../test/helpers/temporary-folder.ts';
import { until } from '../test/helpers/until.ts';
import { EDGE } from './contender.ts';
import type { Options } from './options.ts';
import { OUTAGE_KINDS, type OutageKind } from './outage-kinds.ts';
import { PRIMARY, startOutageSite } from './outage-site.ts';
import { PullSeries } from './pull-series.ts';
import type { Scope } from './scope.ts';
import { figure, type Section } from './section.ts';

/** Milliseconds. */
interface Times {
  before: number;
  outage: number;
  /** How long at most to wait until the primary serves again. */
  back: number;
}

const FULL: Times = { before: 4000, outage: 12_000, back: 20_000 };
const SHORT: Times = { before: 500, outage: 2500, back: 15_000 };

interface Result {
  rows: string[][];
  problems: string[];
}

/** Pulls through real outages of a real registry; each proxy meets the very same ones. */
export async function benchOutages(scope: Scope, { short }: Options): Promise<Section> {
  const times = short ? SHORT : FULL;
  const results: Result[] = [];
  for (const kind of short ? [OUTAGE_KINDS[0]] : OUTAGE_KINDS) {
    results.push(await scope.within((inner) => runOutage(inner, kind, times, short)));
  }
  return {
    title: 'Outages',
    about: `A pull (manifest by tag, configuration, one blob; no retries) begun every 50 ms through each proxy, for ${times.before / 1000} s before the outage of the primary, ${times.outage / 1000} s of it, and until the primary serves again, ${times.back / 1000} s at most. Both proxies stand before the same two docker-registry processes at the same time.`,
    columns: ['outage', 'proxy', 'pulls', 'failed', 'longest gap s', 'slowest pull s', 'primary serves again after s'],
    rows: results.flatMap(({ rows }) => rows),
    problems: results.flatMap(({ problems }) => problems),
  };
}

async function runOutage(owner: Owner, kind: OutageKind, times: Times, quick: boolean): Promise<Result> {
  const { primary, contenders } = await startOutageSite(owner, { cache: kind.cache, quick });
  const running = contenders.map(({ name, target }) => ({ name, series: new PullSeries(owner, target) }));
  await delay(times.before);
  await kind.begin(primary);
  await delay(times.outage);
  await kind.end(primary);
  const ended = performance.now();
  const isBack = ({ series }: { series: PullSeries }) => series.firstFrom(PRIMARY, ended) !== undefined;
  const patience = times.back;
  await until(() => running.every(isBack) || performance.now() - ended > patience, { timeout: patience + 5000 });
  await Promise.all(running.map(({ series }) => series.stop()));
  return {
    rows: running.map(({ name, series }) => row(kind, name, series, ended, patience)),
    // What nginx loses is a result; what the edge loses is a fault.
    problems: running.flatMap(({ name, series }) => (name === EDGE ? failuresOf(kind, series) : [])),
  };
}

function row(kind: OutageKind, name: string, series: PullSeries, ended: number, patience: number): string[] {
  const seconds = (ms: number) => figure(ms / 1000, 1);
  const back = series.firstFrom(PRIMARY, ended);
  return [
    kind.name,
    name,
    String(series.total),
    String(series.failures.length),
    seconds(series.longestGap()),
    seconds(series.slowest()),
    back === undefined ? `> ${patience / 1000}` : seconds(back),
  ];
}

function failuresOf({ name }: OutageKind, { failures, total }: PullSeries): string[] {
  const [first] = failures;
  return first === undefined ? [] : [`${EDGE}, ${name}: ${failures.length} of ${total} pulls failed, first: ${first}`];
}
