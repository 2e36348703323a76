import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../test/helpers/until.ts';
import type { Options } from '../options.ts';
import { EDGE } from '../proxies/contender.ts';
import { figure, type Section } from '../report/section.ts';
import { atMost, type Target } from '../report/target.ts';
import type { Scope } from '../scope.ts';
import { OUTAGE_KINDS, type OutageKind } from './kinds.ts';
import { REPOSITORY } from './place.ts';
import { type Ended, PullSeries } from './pull-series.ts';
import { startOutageSite } from './site.ts';
import { isBack, judge, type Moments, type Verdict } from './verdict.ts';

/** Milliseconds. */
interface Times {
  /** Pulls that do not count. */
  warmUp: number;
  steady: number;
  outage: number;
  /** How long at most to wait until the primary serves again. */
  back: number;
  /** How long to look on after that. */
  after: number;
}

const FULL: Times = { warmUp: 2000, steady: 8000, outage: 12_000, back: 20_000, after: 3000 };
const SHORT: Times = { warmUp: 500, steady: 1000, outage: 2500, back: 15_000, after: 500 };

/** How one proxy came through one outage. */
interface Row extends Verdict {
  kind: OutageKind;
  proxy: string;
  moments: Moments;
  pulled: readonly Ended[];
}

/** Pulls through real outages of a real registry; every proxy meets the very same ones. */
export async function benchOutages(scope: Scope, options: Options): Promise<Section> {
  const times = options.short ? SHORT : FULL;
  const rows: Row[] = [];
  for (const kind of OUTAGE_KINDS) {
    if (!options.selection.has('outages', kind.item)) continue;
    rows.push(...(await scope.within((inner) => runOutage(inner, kind, times, options))));
  }
  const lost = rows.filter(({ proxy, failed }) => proxy === EDGE && failed > 0);
  return {
    title: 'Outages',
    about: `A pull (manifest by tag, configuration, one blob; no retries) begun every 50 ms through each proxy, for ${times.steady / 1000} s before the outage of the primary, ${times.outage / 1000} s of it, and until the primary serves again, ${times.back / 1000} s at most. All proxies stand before the same two docker-registry processes at the same time. The gap is the longest time between the ends of two good pulls; p99 is that of pulls begun later than 1 s into the outage, a failed pull counting as endless.`,
    columns: [
      'outage',
      'proxy',
      'pulls',
      'failed',
      'gap s',
      'steady p99 ms',
      'outage p99 ms',
      'back after s',
      'relapses',
    ],
    rows: rows.map(cells),
    targets: rows.filter(({ proxy }) => proxy === EDGE).flatMap((row) => targetsOf(row, rows)),
    data: rows.map(({ kind, moments, pulled, ...verdict }) => ({ kind: kind.name, ...verdict })),
    problems: lost.map(
      ({ kind, failed, pulls, firstError }) =>
        `${EDGE}, ${kind.name}: ${failed} of ${pulls} pulls failed, first: ${firstError}`,
    ),
  };
}

async function runOutage(scope: Scope, kind: OutageKind, times: Times, options: Options): Promise<Row[]> {
  const { short: quick, proxies } = options;
  const site = await startOutageSite(scope, {
    cache: !kind.forgetful,
    lined: kind.lined ? 'primary' : 'none',
    quick,
    proxies,
  });
  const { image, authority, contenders } = site;
  const pulled = { authority, repository: REPOSITORY, reference: 'v1', digest: image.digest };
  const running = contenders.map(({ name, url }) => ({ name, series: new PullSeries(scope, { ...pulled, url }) }));
  await delay(times.warmUp);
  const steady = performance.now();
  await delay(times.steady);
  const began = performance.now();
  const undo = await kind.begin(site);
  await delay(times.outage);
  await undo();
  const ended = performance.now();
  await until(
    () =>
      running.every(({ series }) => isBack(series.ended, ended, performance.now())) ||
      performance.now() - ended > times.back,
    { timeout: times.back + 5000, every: 100 },
  );
  await delay(times.after);
  await Promise.all(running.map(({ series }) => series.stop()));
  const moments = { steady, began, ended };
  return running.map(({ name, series }) => ({
    ...judge(series.ended, moments),
    kind,
    proxy: name,
    moments,
    pulled: series.ended,
  }));
}

function cells({ kind, proxy, pulls, failed, gap, steadyP99, outageP99, back, relapses }: Row): string[] {
  return [
    kind.name,
    proxy,
    String(pulls),
    String(failed),
    figure(gap / 1000, 2),
    figure(steadyP99, 0),
    outageP99 === Number.POSITIVE_INFINITY ? 'fails' : figure(outageP99, 0),
    back === Number.POSITIVE_INFINITY ? 'never' : figure(back / 1000, 1),
    String(relapses),
  ];
}

function targetsOf(row: Row, rows: readonly Row[]): Target[] {
  const { kind } = row;
  const nginx = rows.find((one) => one.kind === kind && one.proxy === 'nginx');
  const target = (what: string, of: (row: Row) => number, bound: number, unit: string, digits: number) =>
    atMost({
      what: `${kind.name}: ${what}`,
      value: of(row),
      bound,
      unit,
      digits,
      ...(nginx ? { nginx: of(nginx) } : {}),
    });
  const share = (one: Row) => one.outageP99 / one.steadyP99;
  return [
    target('failed pulls', (one) => one.failed, 0, '', 0),
    ...(kind.gap === undefined ? [] : [target('longest gap', (one) => one.gap / 1000, kind.gap, ' s', 2)]),
    target('p99 from 1 s into it on', share, 2, ' x steady', 1),
    target('back on the primary', (one) => one.back / 1000, 15, ' s', 1),
    target('relapses after recovery', (one) => one.relapses, 0, '', 0),
  ];
}
