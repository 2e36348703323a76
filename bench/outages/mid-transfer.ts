import { HttpsClient } from '../../test/helpers/https-client.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { until } from '../../test/helpers/until.ts';
import { interleave } from '../interleave.ts';
import { CLIENT_TIMEOUT_SECONDS, type CurlDownload, curlDownload } from '../load/curl-download.ts';
import type { Options } from '../options.ts';
import { type Contender, EDGE, NGINX } from '../proxies/contender.ts';
import { median } from '../report/median.ts';
import { figure, type Section } from '../report/section.ts';
import { atLeast, atMost, type Target } from '../report/target.ts';
import type { Scope } from '../scope.ts';
import type { FaultProxy } from '../upstreams/fault-proxy.ts';
import { CHECK, PRIMARY, REPOSITORY, SERVED_BY } from './failover-setup.ts';
import { LargeBlob } from './large-blob.ts';
import { type OutageSite, startOutageSite } from './site.ts';

type How = 'reset' | 'stall';
type Condition = 'steady' | How;

interface Row {
  how: How;
  proxy: string;
  /** Number of complete downloads with the right digest. */
  whole: number;
  downloads: CurlDownload[];
  /** Medians of complete downloads, in seconds. */
  later: number;
  steady: number;
  pause: number;
}

/** Default time without a byte, in seconds, after which the edge counts a body as stalled. */
const STALL = 5;
const MARGIN = 0.3;

/** Downloads of a large blob whose primary fails in mid-transfer. */
export async function benchMidTransfer(scope: Scope, options: Options): Promise<Section> {
  const { mib, proxies, short: quick } = options;
  const blob = new LargeBlob(mib);
  const site = await startOutageSite(scope, { cache: true, lined: 'both', quick, proxies });
  await blob.push(site.primary.url, REPOSITORY);
  await blob.push(site.fallback.url, 'example-project/app');
  const rows = await measureAll(scope, site, blob, options);
  return {
    title: 'In the middle of a blob',
    about: `A blob of ${mib} MiB, downloaded by one curl without retries. At half of it, the primary resets the connection, or sends nothing more. \`later\` is the difference to the median of downloads without a fault, over the same connections and registries. The pause is the longest time in which no byte arrived. The edge counts ${STALL} s without a byte as a stall. The client gives up after ${CLIENT_TIMEOUT_SECONDS} s.`,
    columns: ['in the middle', 'proxy', 'whole', 'of', 'curl says', 'steady s', 'later s', 'pause s'],
    rows: rows.map(cells),
    targets: rows.filter(({ proxy }) => proxy === EDGE).flatMap((row) => targetsOf(row, rows)),
    data: rows,
    problems: rows
      .filter(({ proxy, whole, downloads }) => proxy === EDGE && whole < downloads.length)
      .map(({ how, whole, downloads }) => `${EDGE}, ${how}: ${whole} of ${downloads.length} whole`),
  };
}

async function measureAll(scope: Scope, site: OutageSite, blob: LargeBlob, options: Options): Promise<Row[]> {
  const { faultProxy } = site;
  if (!faultProxy) throw new Error('a blob cannot break off without a line');
  const folder = temporaryFolder(scope);
  const ways = options.selection.itemsOf('middle') as How[];
  const measured = await interleave(site.contenders, options, async (contender, warmUp) => {
    const found = new Map<Condition, CurlDownload>();
    for (const condition of ['steady', ...(warmUp ? [] : ways)] as const)
      found.set(condition, await downloadUnder(condition, { faultProxy, folder, contender, site, blob }));
    return found;
  });
  const rowOf = (how: How, index: number): Row => {
    const all = (condition: Condition) => (measured[index] ?? []).flatMap((round) => round.get(condition) ?? []);
    return summarizeOutage(how, site.contenders[index]?.name ?? '', all('steady'), all(how), blob);
  };
  return ways.flatMap((how) => site.contenders.map((_, index) => rowOf(how, index)));
}

interface Place {
  faultProxy: FaultProxy;
  folder: string;
  contender: Contender;
  site: OutageSite;
  blob: LargeBlob;
}

async function downloadUnder(condition: Condition, setup: Place): Promise<CurlDownload> {
  const { faultProxy, folder, contender, site, blob } = setup;
  await faultProxy.set({});
  await servedByPrimary(contender, site.authority);
  if (condition !== 'steady') await faultProxy.set({ cut: { how: condition, after: Math.round(blob.bytes / 2) } });
  const kept = await curlDownload(folder, `${contender.url}/v2/${REPOSITORY}/blobs/${blob.digest}`);
  await faultProxy.set({});
  if (condition === 'steady' && !isWhole(kept, blob))
    throw new Error(`${contender.name}: ${kept.bytes} of ${blob.bytes} bytes without any fault, curl: ${kept.status}`);
  return kept;
}

/** A proxy may have taken the primary out of service after an earlier failure. */
async function servedByPrimary({ name, url }: Contender, authority: string): Promise<void> {
  const client = new HttpsClient(url, authority);
  try {
    await until(
      async () => {
        const { headers } = await client.ask(CHECK.path, { headers: { accept: CHECK.accept } });
        return headers[SERVED_BY.toLowerCase()] === PRIMARY;
      },
      { timeout: 60_000, every: 200, what: () => `${name} to ask the primary` },
    );
  } finally {
    client.close();
  }
}

function summarizeOutage(
  how: How,
  proxy: string,
  steady: CurlDownload[],
  downloads: CurlDownload[],
  blob: LargeBlob,
): Row {
  const usual = median(steady.map(({ seconds }) => seconds));
  const whole = downloads.filter((kept) => isWhole(kept, blob));
  return {
    how,
    proxy,
    whole: whole.length,
    downloads,
    steady: usual,
    later: median(whole.map(({ seconds }) => seconds)) - usual,
    pause: median(whole.map(({ pause }) => pause)),
  };
}

function isWhole({ status, digest }: CurlDownload, blob: LargeBlob): boolean {
  return status === 0 && digest === blob.digest;
}

function cells({ how, proxy, whole, downloads, steady, later, pause }: Row): string[] {
  const ofWhole = (value: number) => (whole > 0 ? figure(value, 2) : '');
  const statuses = [...new Set(downloads.map(({ status }) => status))].join(', ');
  const counts = [String(whole), String(downloads.length)];
  return [how, proxy, ...counts, statuses, figure(steady, 2), ofWhole(later), ofWhole(pause)];
}

function targetsOf(row: Row, rows: readonly Row[]): Target[] {
  const { how } = row;
  const nginx = rows.find((one) => one.how === how && one.proxy === NGINX);
  const share = (one: Row) => (100 * one.whole) / one.downloads.length;
  const bound = how === 'stall' ? STALL + MARGIN : MARGIN;
  const what = `${how} in the middle of a blob`;
  return [
    atLeast({
      what: `${what}: whole, right sha256`,
      value: share(row),
      bound: 100,
      unit: ' %',
      digits: 0,
      ...(nginx ? { nginx: share(nginx) } : {}),
    }),
    atMost({
      what: `${what}: later`,
      value: row.later,
      bound,
      unit: ' s',
      ...(nginx ? { nginx: nginx.later } : {}),
    }),
  ];
}
