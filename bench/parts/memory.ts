import { setTimeout as delay } from 'node:timers/promises';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { download } from '../load/download.ts';
import { slowClients } from '../load/slow-clients.ts';
import type { Options } from '../options.ts';
import { EDGE, NGINX } from '../proxies/contender.ts';
import { peakMegabytes, resetPeak, residentMegabytes } from '../proxies/process-usage.ts';
import { startRelayContenders } from '../proxies/relay-contenders.ts';
import { figure, type Section } from '../report/section.ts';
import { atMost } from '../report/target.ts';
import type { Scope } from '../scope.ts';
import { type StaticRegistry, startStaticRegistry } from '../upstreams/static-registry.ts';

type Load = 'downloads' | 'clients' | 'readers';

interface Row {
  load: Load;
  name: string;
  /** MB of 10^6 bytes. */
  idle: number;
  peak: number;
  /** A minute after the load; of `readers` only. */
  later?: number;
}

const DOWNLOADS = 8;
const CLIENTS = 100;
const QUICK_CLIENTS = 20;
/** Bytes a second. */
const RATE = 1_000_000;
/** Slow readers; each curl takes half of them. */
const READERS = { count: 500, rate: 20_000, seconds: 15 };
/** Milliseconds in which the edge gives memory back. */
const SETTLE_MS = 15_000;
const LATER_MS = 60_000;
/** MB. */
const BOUNDS = { downloads: 110, clients: 150 };
/** RSS a minute after slow readers, as a multiple of that before. */
const LEFT_BEHIND = 1.3;

/** Peak resident memory of each proxy under a load. Each load has processes of its own. */
export async function benchMemory(scope: Scope, options: Options): Promise<Section> {
  const registry = await startStaticRegistry(scope, options.mib);
  const [clients, seconds] = options.short ? [QUICK_CLIENTS, 3] : [CLIENTS, 20];
  const rows: Row[] = [];
  for (const load of options.selection.itemsOf('memory') as Load[])
    rows.push(
      ...(await scope.within((inner) =>
        load === 'readers'
          ? measureReaders(inner, registry)
          : measure(inner, load, registry, { ...options, clients, seconds }),
      )),
    );
  const described: Record<Load, string> = {
    downloads: `${DOWNLOADS} downloads`,
    clients: `${clients} clients at ${RATE / 1e6} MB/s`,
    readers: `${READERS.count} readers at ${READERS.rate / 1e6} MB/s`,
  };
  const peakOf = (load: Load, name: string) => rows.find((row) => row.load === load && row.name === name)?.peak;
  return {
    title: 'Memory',
    about: `Peak of the resident memory of a proxy's processes, in MB of 10^6 bytes. The proxy has served nothing before. It is measured in two cases. In the first, a blob of ${options.mib} MiB is downloaded ${DOWNLOADS} times at once (${options.rounds} times in a row). In the second, ${clients} clients download it at ${RATE / 1e6} MB/s each for ${seconds} s. The edge computes the digest of the first download. In the third, ${READERS.count} clients read it from the edge at ${READERS.rate / 1e6} MB/s each for ${READERS.seconds} s, and the memory is measured again a minute later.`,
    columns: ['proxy', 'load', 'MB before', 'peak MB', 'MB a minute later'],
    rows: rows.map(({ name, load, idle, peak, later }) => [
      name,
      described[load],
      figure(idle, 0),
      figure(peak, 0),
      later === undefined ? '' : figure(later, 0),
    ]),
    targets: rows
      .filter(({ name }) => name === EDGE)
      .map(({ load, idle, peak, later }) => {
        if (load === 'readers') {
          const what = `RSS a minute after ${described[load]}`;
          return atMost({ what, value: (later ?? Number.NaN) / idle, bound: LEFT_BEHIND, unit: ' x before' });
        }
        const nginx = peakOf(load, NGINX);
        const limit = {
          what: `peak RSS, ${described[load]}`,
          value: peak,
          bound: BOUNDS[load],
          unit: ' MB',
          digits: 0,
        };
        return atMost({ ...limit, ...(nginx === undefined ? {} : { nginx }) });
      }),
    data: rows,
    problems: [],
  };
}

/** What the edge keeps of the memory that slow readers take. */
async function measureReaders(scope: Scope, registry: StaticRegistry): Promise<Row[]> {
  const folder = temporaryFolder(scope);
  const config = { upstreams: { upstream: { urls: [registry.url], maxInFlight: { data: 2 * READERS.count } } } };
  const [edge] = await startRelayContenders(scope, { url: registry.url }, ['edge'], [{ name: EDGE, config }]);
  if (edge?.pid === undefined) return [];
  const url = `${edge.url}/v2/${registry.paths.blob}`;
  await download(scope, folder, { url, bytes: registry.blobBytes, downloads: 1 });
  await delay(SETTLE_MS);
  resetPeak(edge.pid);
  const idle = residentMegabytes(edge.pid);
  const half = { url, ...READERS, count: READERS.count / 2 };
  await Promise.all([slowClients(scope, folder, half), slowClients(scope, folder, half)]);
  const peak = peakMegabytes(edge.pid);
  await delay(LATER_MS);
  return [{ load: 'readers', name: EDGE, idle, peak, later: residentMegabytes(edge.pid) }];
}

async function measure(
  scope: Scope,
  load: Exclude<Load, 'readers'>,
  registry: StaticRegistry,
  { proxies, rounds, clients, seconds }: Options & { clients: number; seconds: number },
): Promise<Row[]> {
  const folder = temporaryFolder(scope);
  const { blobBytes: bytes, paths } = registry;
  const rows: Row[] = [];
  for (const { name, url: base, pid } of await startRelayContenders(scope, { url: registry.url }, proxies)) {
    if (pid === undefined) continue;
    const url = `${base}/v2/${paths.blob}`;
    resetPeak(pid);
    const idle = peakMegabytes(pid);
    if (load === 'clients') await slowClients(scope, folder, { url, count: clients, rate: RATE, seconds });
    else
      for (let round = 0; round < rounds; round += 1)
        await download(scope, folder, { url, bytes, downloads: DOWNLOADS });
    rows.push({ load, name, idle, peak: peakMegabytes(pid) });
  }
  return rows;
}
