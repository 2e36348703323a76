import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { download } from '../load/download.ts';
import { slowClients } from '../load/slow-clients.ts';
import type { Options } from '../options.ts';
import { EDGE, NGINX } from '../proxies/contender.ts';
import { peakMegabytes, resetPeak } from '../proxies/process-usage.ts';
import { startRelayContenders } from '../proxies/relay-contenders.ts';
import { figure, type Section } from '../report/section.ts';
import { atMost } from '../report/target.ts';
import type { Scope } from '../scope.ts';
import { type StaticRegistry, startStaticRegistry } from '../upstreams/static-registry.ts';

type Load = 'downloads' | 'clients';

interface Row {
  load: Load;
  name: string;
  /** MB of 10^6 bytes. */
  idle: number;
  peak: number;
}

const DOWNLOADS = 8;
const CLIENTS = 100;
const QUICK_CLIENTS = 20;
/** Bytes a second. */
const RATE = 1_000_000;
/** MB. */
const BOUNDS: Record<Load, number> = { downloads: 110, clients: 150 };

/** Peak resident memory of each proxy under a load. Each load has processes of its own. */
export async function benchMemory(scope: Scope, options: Options): Promise<Section> {
  const registry = await startStaticRegistry(scope, options.mib);
  const [clients, seconds] = options.short ? [QUICK_CLIENTS, 3] : [CLIENTS, 20];
  const rows: Row[] = [];
  for (const load of options.selection.itemsOf('memory') as Load[])
    rows.push(...(await scope.within((inner) => measure(inner, load, registry, { ...options, clients, seconds }))));
  const described: Record<Load, string> = {
    downloads: `${DOWNLOADS} downloads`,
    clients: `${clients} clients at ${RATE / 1e6} MB/s`,
  };
  const peakOf = (load: Load, name: string) => rows.find((row) => row.load === load && row.name === name)?.peak;
  return {
    title: 'Memory',
    about: `Peak of the resident memory of a proxy's processes, in MB of 10^6 bytes. The proxy has served nothing before. It is measured in two cases. In the first, a blob of ${options.mib} MiB is downloaded ${DOWNLOADS} times at once (${options.rounds} times in a row). In the second, ${clients} clients download it at ${RATE / 1e6} MB/s each for ${seconds} s. The edge computes the digest of the first download.`,
    columns: ['proxy', 'load', 'MB before', 'peak MB'],
    rows: rows.map(({ name, load, idle, peak }) => [name, described[load], figure(idle, 0), figure(peak, 0)]),
    targets: rows
      .filter(({ name }) => name === EDGE)
      .map(({ load, peak }) => {
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

async function measure(
  scope: Scope,
  load: Load,
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
