import { type Owner, temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { interleave } from '../interleave.ts';
import { download } from '../load/download.ts';
import type { Options } from '../options.ts';
import { type Contender, DIRECT, EDGE, NGINX } from '../proxies/contender.ts';
import { cpuSeconds } from '../proxies/process-usage.ts';
import { type EdgeVariant, startRelayContenders } from '../proxies/relay-contenders.ts';
import type { BarChart } from '../report/bar-chart.ts';
import { median } from '../report/median.ts';
import { figure, multiple, type Section } from '../report/section.ts';
import { atLeast, atMost, type Target } from '../report/target.ts';
import type { Scope } from '../scope.ts';
import { type StaticRegistry, startStaticRegistry } from '../upstreams/static-registry.ts';

interface Measured {
  /** Bytes a second, all downloads together. */
  speed: number;
  /** CPU seconds of the proxy for 10^9 bytes. */
  cpu: number;
}

/** One row: a contender under one load. */
interface Row extends Measured {
  upstream: 'http' | 'https';
  name: string;
  downloads: number;
  rounds: Measured[];
}

const AT_ONCE = [1, 8];
const VERIFY = { always: `${EDGE}, verify: always`, never: `${EDGE}, verify: never` };

/** Throughput of one large blob, downloaded by one client and by eight, from a plain upstream and from one with TLS. */
export async function benchBlobs(scope: Scope, options: Options): Promise<Section> {
  const { mib, selection } = options;
  const registry = await startStaticRegistry(scope, mib);
  const rows: Row[] = [];
  if (['plain', 'always', 'never'].some((item) => selection.has('blobs', item)))
    rows.push(...(await scope.within((inner) => overHttp(inner, registry, options))));
  if (selection.has('blobs', 'tls')) rows.push(...(await scope.within((inner) => overTls(inner, registry, options))));
  return {
    title: 'Blobs',
    about: `A blob of ${mib} MiB over TLS 1.3 with AES-128-GCM and HTTP/1.1, downloaded by curl processes. MB is 10^6 bytes. CPU seconds are those of the proxy with all its threads, per 10^9 bytes. The edge has \`verify: first\`, its default: it computes the digest of a blob at its first transfer only. Here this is a warm-up round that does not count. With \`always\` it computes the digest at each transfer.`,
    columns: ['proxy', 'upstream', 'downloads', 'MB/s', 'x nginx', 'CPU s/GB', 'x nginx'],
    rows: rows.map((row) => cells(row, nginxOf(rows, row))),
    chart: chartOf(rows, mib),
    targets: targetsOf(rows),
    data: rows,
    problems: [],
  };
}

async function overHttp(scope: Scope, registry: StaticRegistry, options: Options): Promise<Row[]> {
  const variants: EdgeVariant[] = [{ name: EDGE, config: {} }];
  for (const verify of ['always', 'never'] as const)
    if (options.selection.has('blobs', verify)) variants.push({ name: VERIFY[verify], config: { verify } });
  const contenders = await startRelayContenders(scope, { url: registry.url }, options.proxies, variants);
  return measureAll(scope, [...contenders, { name: DIRECT, url: registry.url }], registry, options, 'http');
}

async function overTls(scope: Scope, registry: StaticRegistry, options: Options): Promise<Row[]> {
  const { tlsUrl: url, caFile } = registry;
  const contenders = await startRelayContenders(scope, { url, caFile }, options.proxies);
  return measureAll(scope, contenders, registry, options, 'https');
}

async function measureAll(
  owner: Owner,
  contenders: Contender[],
  registry: StaticRegistry,
  options: Options,
  upstream: Row['upstream'],
): Promise<Row[]> {
  const folder = temporaryFolder(owner);
  const rows: Row[] = [];
  for (const downloads of AT_ONCE) {
    const measured = await interleave(contenders, options, (contender) =>
      measure(owner, folder, contender, registry, downloads),
    );
    for (const [index, { name }] of contenders.entries()) {
      const rounds = measured[index] ?? [];
      const speed = median(rounds.map((round) => round.speed));
      const cpu = median(rounds.map((round) => round.cpu));
      rows.push({ upstream, name, downloads, speed, cpu, rounds });
    }
  }
  return rows;
}

async function measure(
  owner: Owner,
  folder: string,
  { url, pid }: Contender,
  { paths, blobBytes }: StaticRegistry,
  downloads: number,
): Promise<Measured> {
  const before = pid === undefined ? Number.NaN : cpuSeconds(pid);
  const speed = await download(owner, folder, { url: `${url}/v2/${paths.blob}`, bytes: blobBytes, downloads });
  const spent = pid === undefined ? Number.NaN : cpuSeconds(pid) - before;
  return { speed, cpu: spent / ((blobBytes * downloads) / 1e9) };
}

function nginxOf(rows: readonly Row[], { upstream, downloads }: Row): Row | undefined {
  return rows.find((row) => row.name === NGINX && row.upstream === upstream && row.downloads === downloads);
}

function cells({ name, upstream, downloads, speed, cpu }: Row, nginx: Row | undefined): string[] {
  const own = name === DIRECT ? ['', ''] : [figure(cpu, 2), multiple(cpu, nginx?.cpu)];
  return [name, upstream, String(downloads), figure(speed / 1e6, 0), multiple(speed, nginx?.speed), ...own];
}

function chartOf(rows: readonly Row[], mib: number): BarChart {
  const measured = rows.filter(({ name }) => name !== DIRECT);
  const groups = Map.groupBy(
    measured,
    ({ upstream, downloads }) => `${upstream} upstream, ${downloads} download${downloads > 1 ? 's' : ''}`,
  );
  return {
    name: 'blobs',
    title: `A blob of ${mib} MiB over TLS`,
    unit: 'MB/s',
    groups: [...groups].map(([label, of]) => ({
      label,
      bars: of.map((row) => ({
        series: row.name,
        value: row.speed / 1e6,
        note: `${figure(row.speed / 1e6, 0)} (${multiple(row.speed, nginxOf(rows, row)?.speed)} x)`,
      })),
    })),
  };
}

function targetsOf(rows: readonly Row[]): Target[] {
  const ratio = (upstream: Row['upstream'], name: string, downloads: number, of: 'speed' | 'cpu') => {
    const row = rows.find((one) => one.upstream === upstream && one.name === name && one.downloads === downloads);
    return row && row[of] / (nginxOf(rows, row)?.[of] ?? Number.NaN);
  };
  const targets: Target[] = [];
  const add = (limit: typeof atLeast, what: string, value: number | undefined, bound: number) => {
    if (value !== undefined) targets.push(limit({ what, value, bound, unit: ' x nginx', nginx: 1 }));
  };
  add(atLeast, 'blob, 1 download', ratio('http', EDGE, 1, 'speed'), 1.15);
  add(atLeast, 'blob, 8 downloads', ratio('http', EDGE, 8, 'speed'), 1.05);
  add(atMost, 'blob, 8 downloads, CPU s/GB', ratio('http', EDGE, 8, 'cpu'), 0.95);
  add(atLeast, 'blob while its digest is computed, 1 download', ratio('http', VERIFY.always, 1, 'speed'), 0.75);
  add(atLeast, 'blob while its digest is computed, 8 downloads', ratio('http', VERIFY.always, 8, 'speed'), 0.8);
  for (const downloads of AT_ONCE)
    add(atLeast, `blob over a TLS upstream, ${downloads} downloads`, ratio('https', EDGE, downloads, 'speed'), 1);
  return targets;
}
