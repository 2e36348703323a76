import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../test/helpers/until.ts';
import type { Options, ProxyName } from '../options.ts';
import { EDGE } from '../proxies/contender.ts';
import type { BarChart } from '../report/bar-chart.ts';
import { figure, type Section } from '../report/section.ts';
import { atMost, type Target } from '../report/target.ts';
import type { Scope } from '../scope.ts';
import { REPOSITORY } from './failover-setup.ts';
import { OUTAGE_KINDS, type OutageKind } from './kinds.ts';
import { isBack, type OutageSummary, summarizeOutage } from './outage-summary.ts';
import { PullSeries } from './pull-series.ts';
import { startOutageSite } from './site.ts';

/** Durations in milliseconds. */
interface Times {
  /** The first pulls, which do not count. */
  warmUp: number;
  steady: number;
  outage: number;
  /** Longest time to wait until the primary serves again. */
  back: number;
  /** Time to watch after that. */
  after: number;
}

const FULL: Times = { warmUp: 2000, steady: 8000, outage: 12_000, back: 20_000, after: 2000 };
const SHORT: Times = { warmUp: 500, steady: 1000, outage: 2500, back: 15_000, after: 500 };

/** One proxy in one outage. */
interface Row extends OutageSummary {
  kind: OutageKind;
  proxy: ProxyName;
}

/** Pulls through real outages of a real registry. Each proxy runs by itself, so that the proxies do not disturb each other. */
export async function benchOutages(scope: Scope, options: Options): Promise<Section> {
  const times = options.short ? SHORT : FULL;
  const rows: Row[] = [];
  const problems: string[] = [];
  for (const kind of OUTAGE_KINDS.filter(({ item }) => options.selection.has('outages', item))) {
    for (const proxy of options.proxies) {
      const row = await scope.attempt(`${kind.name}, ${proxy}`, problems, (inner) =>
        runOutage(inner, kind, proxy, { times, quick: options.short }),
      );
      if (row) rows.push(row);
    }
  }
  const lost = rows.filter(({ proxy, failed }) => proxy === EDGE && failed > 0);
  return {
    title: 'Outages',
    about: `A pull begins every 50 ms: a manifest by tag, its configuration and one blob, without retries. Pulls begin ${times.steady / 1000} s before the outage of the primary. The outage takes ${times.outage / 1000} s, and pulls go on until the primary serves again, for at most ${times.back / 1000} s. They go through one proxy at a time, in front of two docker-registry processes. The gap is the longest time between the ends of two good pulls. The p99 covers pulls that began later than 1 s into the outage. A failed pull counts as infinitely long. A proxy is back when the primary has served every pull of one second. It relapses when three pulls in a row are not served by the primary after that.`,
    columns: ['outage', 'proxy', 'pulls', 'failed', 'gap s', 'steady p99 ms', 'p99 ms', 'back after s', 'relapses'],
    rows: rows.map(cells),
    chart: chartOf(rows),
    targets: rows.filter(({ proxy }) => proxy === EDGE).flatMap((row) => targetsOf(row, rows)),
    data: rows.map(({ kind, ...verdict }) => ({ outage: kind.name, ...verdict })),
    details: rows.flatMap(detailsOf),
    problems: [
      ...problems,
      ...lost.map(
        ({ kind, failed, pulls, errors }) =>
          `${EDGE}, ${kind.name}: ${failed} of ${pulls} pulls failed, first: ${errors[0]?.error}`,
      ),
    ],
  };
}

async function runOutage(
  scope: Scope,
  kind: OutageKind,
  proxy: ProxyName,
  { times, quick }: { times: Times; quick: boolean },
): Promise<Row> {
  const lined = kind.lined ? 'primary' : 'none';
  const site = await startOutageSite(scope, { cache: !kind.forgetful, lined, quick, proxies: [proxy] });
  const { image, authority, contenders } = site;
  const url = contenders[0]?.url ?? '';
  const series = new PullSeries(scope, {
    url,
    authority,
    repository: REPOSITORY,
    reference: 'v1',
    digest: image.digest,
  });
  await delay(times.warmUp);
  const steady = performance.now();
  await delay(times.steady);
  const began = performance.now();
  const undo = await kind.begin(site);
  await delay(times.outage);
  await undo();
  const ended = performance.now();
  await until(() => isBack(series.ended, ended) || performance.now() - ended > times.back, {
    timeout: times.back + 5000,
    every: 100,
  });
  await delay(times.after);
  await series.stop();
  return { ...summarizeOutage(series.ended, { steady, began, ended }), kind, proxy };
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

/** The slowest pulls and the errors, for a number that looks wrong. */
function detailsOf({ kind, proxy, slowestPulls, errors }: Row): string[] {
  const title = `${kind.name}, ${proxy}:`;
  return [
    ...errors.map(({ at, error }) => `${title} begun ${at} ms into the outage: ${error}`),
    ...slowestPulls.map(
      ({ at, took, upstreams }) => `${title} begun ${at} ms into the outage, ${took} ms: ${upstreams.join(', ')}`,
    ),
  ];
}

function chartOf(rows: readonly Row[]): BarChart {
  return {
    name: 'outages',
    title: 'Longest time without a good pull, by outage',
    unit: 's',
    groups: [...Map.groupBy(rows, ({ kind }) => kind.name)].map(([label, of]) => ({
      label,
      bars: of.map(({ proxy, gap, failed }) => ({
        series: proxy,
        value: gap / 1000,
        note: `${figure(gap / 1000, 2)}${failed > 0 ? `, ${failed} pulls failed` : ''}`,
      })),
    })),
  };
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
