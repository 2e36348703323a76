import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type CertificateFiles, writeCertificate } from './certificate.ts';
import { Program } from './program.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';
import { scaleUpstreamTimes } from './upstream-times.ts';

/** The command, as this checkout has it. */
export const LAUNCHER = join(import.meta.dirname, '../../bin/breakwater');

/** What `/api/status` says, as far as tests look at it. */
export interface EdgeStatus {
  headline: { level: string; text: string };
  /** ISO 8601. */
  at: string;
  ready: boolean;
  upstreams: {
    name: string;
    state: 'up' | 'down' | 'unknown';
    reason: string;
    readOnly: boolean | null;
    /** Whether it has the referrers API: has, lacks or unknown. */
    referrers: string;
    pushes?: { admitted: boolean; since: string; reason: string };
    urls: { url: string; state: string; canary: string; breakers: Record<string, string> }[];
  }[];
  /** The other edges of the site. `heardAt`: ISO 8601. */
  peers: { state: string; heardAt: string | null }[];
  unheard: { peer: string; since: string | null; until: string | null }[];
  failovers: { repository: string; from: string; to: string; reason: string }[];
}

/** Breakwater itself, as the process that an operator starts. */
export class Edge {
  readonly certificate: CertificateFiles;
  readonly #program: Program;
  readonly #configFile: string;
  #https = '';
  #admin = '';

  constructor(owner: Owner, folder: string, certificate: CertificateFiles, launcher = LAUNCHER) {
    this.certificate = certificate;
    this.#configFile = join(folder, 'breakwater.yaml');
    this.#program = new Program(owner, {
      command: launcher,
      args: ['serve', '--config', this.#configFile],
      logFile: join(folder, 'edge.log'),
      cwd: folder,
    });
  }

  get configFile(): string {
    return this.#configFile;
  }

  /** `127.0.0.1:PORT`, for clients. */
  get address(): string {
    return this.#https;
  }

  get url(): string {
    return `https://${this.#https}`;
  }

  /** The admin listener. */
  get adminUrl(): string {
    return `http://${this.#admin}`;
  }

  get pid(): number {
    return this.#program.pid;
  }

  async configure(config: Record<string, unknown>): Promise<void> {
    await writeFile(this.#configFile, stringify(scaleUpstreamTimes(config)));
  }

  async start(): Promise<void> {
    this.#program.start();
    const [line] = await this.#program.waitForLog(/^\{.*"msg":"listening".*\}$/m, 30_000);
    const listening: { https: string; admin: string } = JSON.parse(line);
    this.#https = listening.https;
    this.#admin = listening.admin;
  }

  log(): string {
    return this.#program.log();
  }

  /** What a failed test is understood by: its log without the requests that went as they should, up to a bound. */
  story(): string {
    const odd = this.log().split('\n').filter(isOdd);
    return odd.length > 400 ? [...odd.slice(0, 300), '…', ...odd.slice(-100)].join('\n') : odd.join('\n');
  }

  waitForLog(pattern: RegExp, timeout?: number): Promise<RegExpExecArray> {
    return this.#program.waitForLog(pattern, timeout);
  }

  signal(name: NodeJS.Signals): void {
    this.#program.signal(name);
  }

  /** Resolves with the exit status when it ends by itself. */
  ended(): Promise<number | NodeJS.Signals> {
    return this.#program.ended();
  }

  stop(patience?: number): Promise<number | NodeJS.Signals> {
    return this.#program.stop(patience);
  }

  kill(): Promise<void> {
    return this.#program.kill();
  }

  async status(): Promise<EdgeStatus> {
    const response = await fetch(`${this.adminUrl}/api/status`);
    if (!response.ok) throw new Error(`/api/status: ${response.status} ${await response.text()}`);
    return (await response.json()) as EdgeStatus;
  }

  /** Waits until the status is as wanted. `timeout` in milliseconds. */
  async waitFor(wanted: (status: EdgeStatus) => boolean | undefined, timeout = 20_000): Promise<EdgeStatus> {
    let last: EdgeStatus | undefined;
    return until(
      async () => {
        last = await this.status();
        return wanted(last) ? last : undefined;
      },
      { timeout, every: 50, what: () => `${wanted}; status is ${JSON.stringify(last, undefined, 1)}` },
    );
  }
}

/**
 * Starts an edge on free ports of 127.0.0.1, with a made certificate. `config` adds to, or replaces, the top level.
 * @param launcher default: that of this checkout, which runs the sources
 */
export async function startEdge(owner: Owner, config: Record<string, unknown>, launcher?: string): Promise<Edge> {
  const certificate = await writeCertificate(owner);
  const edge = new Edge(owner, temporaryFolder(owner), certificate, launcher);
  await edge.configure({
    hostname: 'localhost',
    aliases: ['127.0.0.1'],
    listen: { https: '127.0.0.1:0', admin: '127.0.0.1:0' },
    tls: { certFile: certificate.certFile, keyFile: certificate.keyFile },
    drain: { announce: '0s', timeout: '5s' },
    ...config,
  });
  await edge.start();
  return edge;
}

function isOdd(line: string): boolean {
  if (!line.startsWith('{')) return line !== '';
  const { request }: { request?: { preferred?: string; attempts?: { upstream: string; outcome: string }[] } } =
    JSON.parse(line);
  const { attempts, preferred } = request ?? {};
  return !attempts?.every((one) => one.outcome === 'served' && one.upstream === (preferred ?? one.upstream));
}
