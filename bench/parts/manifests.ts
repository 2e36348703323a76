import { type Owner, temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { interleave } from '../interleave.ts';
import { wrk } from '../load/wrk.ts';
import type { Options } from '../options.ts';
import { type Contender, DIRECT, EDGE, NGINX } from '../proxies/contender.ts';
import { cpuSeconds } from '../proxies/process-usage.ts';
import { startRelayContenders } from '../proxies/relay-contenders.ts';
import { median } from '../report/median.ts';
import { figure, multiple, type Section } from '../report/section.ts';
import { atLeast, type Target } from '../report/target.ts';
import type { Scope } from '../scope.ts';
import { startStaticRegistry } from '../upstreams/static-registry.ts';

interface Measured {
  /** Requests. */
  perSecond: number;
  p99Ms: number;
  /** CPU microseconds of the proxy for one request. */
  cpu: number;
}

interface Row extends Measured {
  by: string;
  name: string;
  rounds: Measured[];
}

/** Manifests per second, by tag and by digest. */
export async function benchManifests(scope: Scope, options: Options): Promise<Section> {
  const registry = await startStaticRegistry(scope, 1);
  // The other proxies write no line for a request either.
  const quiet = { name: EDGE, config: { log: { requests: 'notable' } } };
  const relaying = await startRelayContenders(scope, { url: registry.url }, options.proxies, [quiet]);
  const contenders = [...relaying, { name: DIRECT, url: registry.url }];
  const folder = temporaryFolder(scope);
  const seconds = options.short ? 1 : 4;
  const rows: Row[] = [];
  for (const by of options.selection.itemsOf('manifests')) {
    const path = by === 'tag' ? registry.paths.tag : registry.paths.digest;
    const measured = await interleave(contenders, options, (contender) =>
      measure(scope, folder, contender, path, seconds),
    );
    rows.push(...contenders.map(({ name }, index) => rowOf(by, name, measured[index] ?? [])));
  }
  return {
    title: 'Manifests',
    about: `A manifest of ${registry.manifestBytes} bytes, read by wrk over 32 kept TLS 1.3 connections, ${seconds} s a round. CPU is that of the proxy. No proxy logs these requests: the edge has \`log.requests: notable\`. By digest, the edge answers from memory. By tag, it asks the upstream, but requests that arrive during such a read share it.`,
    columns: ['proxy', 'asked by', 'requests/s', 'x nginx', 'p99 ms', 'CPU us/request', 'x nginx'],
    rows: rows.map((row) => cells(row, nginxOf(rows, row))),
    targets: targetsOf(rows),
    data: rows,
    problems: [],
  };
}

async function measure(
  owner: Owner,
  folder: string,
  { url, pid }: Contender,
  path: string,
  seconds: number,
): Promise<Measured> {
  const before = pid === undefined ? Number.NaN : cpuSeconds(pid);
  const { requests, perSecond, p99Ms } = await wrk(owner, folder, `${url}/v2/${path}`, seconds);
  const spent = pid === undefined ? Number.NaN : cpuSeconds(pid) - before;
  return { perSecond, p99Ms, cpu: (spent / requests) * 1e6 };
}

function rowOf(by: string, name: string, rounds: Measured[]): Row {
  const middle = (of: keyof Measured) => median(rounds.map((round) => round[of]));
  return { by, name, perSecond: middle('perSecond'), p99Ms: middle('p99Ms'), cpu: middle('cpu'), rounds };
}

function nginxOf(rows: readonly Row[], { by }: Row): Row | undefined {
  return rows.find((row) => row.name === NGINX && row.by === by);
}

function cells({ name, by, perSecond, p99Ms, cpu }: Row, nginx: Row | undefined): string[] {
  const own = name === DIRECT ? ['', ''] : [figure(cpu, 1), multiple(cpu, nginx?.cpu)];
  return [name, by, figure(perSecond, 0), multiple(perSecond, nginx?.perSecond), figure(p99Ms, 1), ...own];
}

function targetsOf(rows: readonly Row[]): Target[] {
  const bounds: Record<string, { what: string; bound: number }> = {
    digest: { what: 'manifest by digest, from memory', bound: 1.4 },
    tag: { what: 'manifest by tag, proxied', bound: 0.7 },
  };
  return rows.flatMap((row) => {
    const limit = bounds[row.by];
    if (row.name !== EDGE || !limit) return [];
    const value = row.perSecond / (nginxOf(rows, row)?.perSecond ?? Number.NaN);
    return [atLeast({ ...limit, value, unit: ' x nginx', nginx: 1 })];
  });
}
