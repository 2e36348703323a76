import { type Owner, temporaryFolder } from '../test/helpers/temporary-folder.ts';
import { type Contender, NGINX, startContenders } from './contender.ts';
import { median } from './median.ts';
import type { Options } from './options.ts';
import { cpuSeconds } from './process-usage.ts';
import { figure, type Section } from './section.ts';
import { startStaticRegistry } from './static-registry.ts';
import { wrk } from './wrk.ts';

interface Measured {
  perSecond: number;
  p99Ms: number;
  cpuMicroseconds: number;
}

/** How many manifests a second, asked for by tag and by digest. */
export async function benchManifests(owner: Owner, { short, rounds, warmUps }: Options): Promise<Section> {
  const upstream = await startStaticRegistry(owner, 1);
  const contenders = await startContenders(owner, upstream);
  const folder = temporaryFolder(owner);
  const seconds = short ? 1 : 4;
  const rows: string[][] = [];
  for (const by of ['tag', 'digest'] as const) {
    const measured: Measured[][] = contenders.map(() => []);
    // Each round has every contender, so that what else the machine does hits all.
    for (let round = 1 - warmUps; round <= rounds; round += 1) {
      for (const [index, contender] of contenders.entries()) {
        const result = await measure(owner, folder, contender, upstream.paths[by], seconds);
        if (round > 0) measured[index]?.push(result);
      }
    }
    rows.push(...rowsOf(contenders, measured, by));
  }
  return {
    title: 'Manifests',
    about: `A manifest of ${upstream.manifestBytes} bytes, asked for by wrk over 32 kept TLS 1.3 connections, ${seconds} s a round. CPU is the proxy's own.`,
    columns: ['proxy', 'asked by', 'requests/s', 'x nginx', 'p99 ms', 'CPU us/request', 'x nginx'],
    rows,
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
  return { perSecond, p99Ms, cpuMicroseconds: (spent / requests) * 1e6 };
}

function rowsOf(contenders: Contender[], measured: Measured[][], by: string): string[][] {
  const middle = (runs: Measured[] = []) => ({
    perSecond: median(runs.map((run) => run.perSecond)),
    p99Ms: median(runs.map((run) => run.p99Ms)),
    cpu: median(runs.map((run) => run.cpuMicroseconds)),
  });
  const nginx = middle(measured[contenders.findIndex(({ name }) => name === NGINX)]);
  return contenders.map(({ name, pid }, index) => {
    const { perSecond, p99Ms, cpu } = middle(measured[index]);
    const own = pid === undefined ? ['', ''] : [figure(cpu, 1), figure(cpu / nginx.cpu, 2)];
    return [name, by, figure(perSecond, 0), figure(perSecond / nginx.perSecond, 2), figure(p99Ms, 1), ...own];
  });
}
