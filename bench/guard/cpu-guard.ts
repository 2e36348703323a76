import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeCertificate } from '../../test/helpers/certificate.ts';
import { startEdge } from '../../test/helpers/edge.ts';
import { Program } from '../../test/helpers/program.ts';
import { type Owner, temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { median } from '../report/median.ts';
import { percentile } from '../report/percentile.ts';
import { KeepAliveConnection } from './keep-alive-connection.ts';
import { startManifestUpstream } from './manifest-upstream.ts';

/** What is measured: an answer of the constant server, and a manifest from the edge by tag and by digest. */
export const SUBJECTS = ['constant', 'tag', 'digest'] as const;
export type Subject = (typeof SUBJECTS)[number];

/** CPU microseconds for one request. */
export type Costs = Record<Subject, number>;
/** Costs as multiples of an answer of the constant server. */
export type Ratios = Record<Exclude<Subject, 'constant'>, number>;

/** What requests to one process have cost. */
export interface ProcessCosts {
  ratios: Ratios;
  /** Of any round. */
  least: Costs;
  /** See `noiseOf`. */
  noise: number;
}

interface Target {
  pid: number;
  connections: KeepAliveConnection[];
  /** The path that a connection asks for. */
  path: (connection: number) => string;
  /** Requests in a round. They are few, so that some rounds end before another process gets the core. */
  requests: number;
}

const CONNECTIONS = 16;
const WARM_UPS = 24;
const CONSTANT_SERVER = join(import.meta.dirname, 'constant-server.ts');

/** An edge with one upstream, and a server with a constant answer as the yardstick for the machine and for Node. */
export class CpuGuard {
  readonly #targets: Record<Subject, Target>;

  private constructor(targets: Record<Subject, Target>) {
    this.#targets = targets;
  }

  /** @param launcher of the program to measure; default: that of this checkout */
  static async start(owner: Owner, launcher?: string): Promise<CpuGuard> {
    const upstream = await startManifestUpstream(owner);
    const config = {
      upstreams: { upstream: { urls: [upstream.url] } },
      routes: [{ prefix: '', pull: [{ upstream: 'upstream' }] }],
      log: { requests: 'notable' },
    };
    const edge = await startEdge(owner, config, launcher);
    const constant = await startConstantServer(owner, upstream.bytes);
    const open = (port: number, ca: string) =>
      Promise.all(Array.from({ length: CONNECTIONS }, () => KeepAliveConnection.open(owner, port, ca)));
    const ofEdge = {
      pid: edge.pid,
      connections: await open(Number(new URL(edge.url).port), edge.certificate.authority),
    };
    const manifests = '/v2/guard/app/manifests';
    return new CpuGuard({
      constant: {
        pid: constant.pid,
        connections: await open(constant.port, constant.authority),
        path: () => manifests,
        requests: 320,
      },
      // Each connection asks for another tag. With one tag they would share reads, more or fewer as the machine is busy.
      tag: { ...ofEdge, path: (connection) => `${manifests}/v${connection}`, requests: 64 },
      digest: { ...ofEdge, path: () => `${manifests}/${upstream.digest}`, requests: 192 },
    });
  }

  /** Runs the code of both until V8 has optimized it. */
  async warmUp(): Promise<void> {
    for (let round = 0; round < WARM_UPS; round += 1) await this.round();
  }

  /** Measures programs that run beside each other, so that both meet the same neighbours. @returns the rounds of each */
  static async inTurns(guards: readonly CpuGuard[], count: number): Promise<Costs[][]> {
    for (const guard of guards) await guard.warmUp();
    const rounds = guards.map((): Costs[] => []);
    for (let round = 0; round < count; round += 1)
      for (const [index, guard] of guards.entries()) rounds[index]?.push(await guard.round());
    return rounds;
  }

  /** Measures each subject once. */
  async round(): Promise<Costs> {
    const costs = { constant: 0, tag: 0, digest: 0 };
    for (const subject of SUBJECTS) costs[subject] = await measure(this.#targets[subject]);
    return costs;
  }
}

/**
 * Compares cheap rounds: other processes can make a request dearer, and never cheaper. Not the cheapest one, because work that a round
 * leaves behind counts for the next.
 */
export function ratiosOf(rounds: readonly Costs[]): Ratios {
  const constant = cheap(rounds, 'constant');
  return { tag: cheap(rounds, 'tag') / constant, digest: cheap(rounds, 'digest') / constant };
}

export function summaryOf(rounds: readonly Costs[]): ProcessCosts {
  const least = (subject: Subject) => Math.min(...rounds.map((costs) => costs[subject]));
  return {
    ratios: ratiosOf(rounds),
    least: { constant: least('constant'), tag: least('tag'), digest: least('digest') },
    noise: noiseOf(rounds),
  };
}

/**
 * How noisy the machine is: the median cost of the constant server as a multiple of a cheap round. Other processes empty the caches of
 * the processor, and the edge loses more by that than a small server does.
 */
export function noiseOf(rounds: readonly Costs[]): number {
  return median(rounds.map(({ constant }) => constant)) / cheap(rounds, 'constant');
}

/** The cost that a tenth of the rounds do not exceed. */
function cheap(rounds: readonly Costs[], subject: Subject): number {
  return percentile(
    rounds.map((costs) => costs[subject]),
    0.1,
  );
}

async function measure({ pid, connections, path, requests }: Target): Promise<number> {
  const each = Math.round(requests / connections.length);
  const before = cpuMicroseconds(pid);
  await Promise.all(connections.map((connection, index) => connection.ask(path(index), each)));
  return (cpuMicroseconds(pid) - before) / (each * connections.length);
}

/** CPU time of all threads. /proc/PID/stat counts in steps of 10 ms, which is too coarse here; schedstat counts nanoseconds. */
function cpuMicroseconds(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((task) =>
    Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1000;
}

async function startConstantServer(owner: Owner, bytes: number) {
  const { certFile, keyFile, authority } = await writeCertificate(owner);
  const program = new Program(owner, {
    command: process.execPath,
    args: [CONSTANT_SERVER, certFile, keyFile, String(bytes)],
    logFile: join(temporaryFolder(owner), 'constant.log'),
  });
  program.start();
  const [, port] = await program.waitForLog(/^port (\d+)$/m);
  return { pid: program.pid, port: Number(port), authority };
}
