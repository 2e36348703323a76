import { type Owner, temporaryFolder } from '../test/helpers/temporary-folder.ts';
import { type Contender, NGINX, startContenders } from './contender.ts';
import { download } from './download.ts';
import { median } from './median.ts';
import type { Options } from './options.ts';
import { cpuSeconds, peakMegabytes } from './process-usage.ts';
import { figure, type Section } from './section.ts';
import { type StaticRegistry, startStaticRegistry } from './static-registry.ts';

interface Measured {
  bytesPerSecond: number[];
  cpuPerGigabyte: number[];
}

const AT_ONCE = [1, 8];

/** Throughput of one large blob, downloaded by one client and by eight. */
export async function benchBlobs(owner: Owner, { mib, rounds, warmUps }: Options): Promise<Section> {
  const upstream = await startStaticRegistry(owner, mib);
  const contenders = await startContenders(owner, upstream);
  const folder = temporaryFolder(owner);
  const rows: string[][] = [];
  for (const downloads of AT_ONCE) {
    const measured = contenders.map(() => ({ bytesPerSecond: [], cpuPerGigabyte: [] }) as Measured);
    // Each round has every contender, so that what else the machine does hits all.
    for (let round = 1 - warmUps; round <= rounds; round += 1) {
      for (const [index, contender] of contenders.entries()) {
        const result = await measure(owner, folder, contender, upstream, downloads);
        if (round < 1) continue;
        measured[index]?.bytesPerSecond.push(result.bytesPerSecond);
        measured[index]?.cpuPerGigabyte.push(result.cpuPerGigabyte);
      }
    }
    rows.push(...rowsOf(contenders, measured, downloads));
  }
  return {
    title: 'Blobs',
    about: `A blob of ${mib} MiB over TLS 1.3 with AES-128-GCM and HTTP/1.1, downloaded by curl processes. MB is 10^6 bytes; CPU seconds are the proxy's own, per 10^9 bytes; memory is its peak up to then.`,
    columns: ['proxy', 'downloads', 'MB/s', 'x nginx', 'CPU s/GB', 'x nginx', 'peak RSS MB'],
    rows,
    problems: [],
  };
}

async function measure(
  owner: Owner,
  folder: string,
  { url, pid }: Contender,
  { paths, blobBytes }: StaticRegistry,
  downloads: number,
): Promise<{ bytesPerSecond: number; cpuPerGigabyte: number }> {
  const before = pid === undefined ? Number.NaN : cpuSeconds(pid);
  const bytesPerSecond = await download(owner, folder, { url: `${url}/v2/${paths.blob}`, bytes: blobBytes, downloads });
  const spent = pid === undefined ? Number.NaN : cpuSeconds(pid) - before;
  return { bytesPerSecond, cpuPerGigabyte: spent / ((blobBytes * downloads) / 1e9) };
}

function rowsOf(contenders: Contender[], measured: Measured[], downloads: number): string[][] {
  const medians = measured.map(({ bytesPerSecond, cpuPerGigabyte }) => ({
    speed: median(bytesPerSecond) / 1e6,
    cpu: median(cpuPerGigabyte),
  }));
  const nginx = medians[contenders.findIndex(({ name }) => name === NGINX)] ?? { speed: Number.NaN, cpu: Number.NaN };
  return contenders.map(({ name, pid }, index) => {
    const { speed, cpu } = medians[index] ?? { speed: Number.NaN, cpu: Number.NaN };
    const own =
      pid === undefined ? ['', '', ''] : [figure(cpu, 2), figure(cpu / nginx.cpu, 2), figure(peakMegabytes(pid), 0)];
    return [name, String(downloads), figure(speed, 0), figure(speed / nginx.speed, 2), ...own];
  });
}
