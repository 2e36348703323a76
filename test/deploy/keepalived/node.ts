import { chmodSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { CertificateFiles } from '../../helpers/certificate.ts';
import { type Finished, tryCommand } from '../../helpers/command.ts';
import { type EdgeStatus, LAUNCHER } from '../../helpers/edge.ts';
import { Program } from '../../helpers/program.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tool } from '../../helpers/tool.ts';
import { until } from '../../helpers/until.ts';
import { scaleUpstreamTimes } from '../../helpers/upstream-times.ts';
import { ADDRESSES, plugIn, setPlug } from './network.ts';

/** An Ethernet address that no machine has. */
const NOWHERE = '02:00:00:00:00:99';

const END_OF_ANSWER = '\n--- end ---\n';

export type Side = 'a' | 'b';

/** A machine of the pair: its own network, host name and `/run`, with an edge and keepalived. */
export class PairNode {
  readonly side: Side;
  readonly folder: string;
  readonly #machine: Program;
  readonly #edge: Program;
  readonly #keepalived: Program;

  constructor(owner: Owner, side: Side) {
    this.side = side;
    this.folder = temporaryFolder(owner);
    const log = (name: string) => join(this.folder, `${name}.log`);
    const line = `echo edge-${side} >/proc/sys/kernel/hostname && mount -t tmpfs none /run && mkdir /run/breakwater && exec sleep infinity`;
    this.#machine = new Program(owner, {
      command: tool('unshare'),
      args: ['--net', '--uts', '--mount', 'sh', '-c', line],
      logFile: log('machine'),
    });
    this.#edge = new Program(owner, {
      command: join(this.folder, 'run'),
      args: [LAUNCHER, 'serve', '--config', join(this.folder, 'breakwater.yaml')],
      logFile: log('edge'),
      cwd: this.folder,
    });
    // As systemd starts it, with the log on standard error.
    this.#keepalived = new Program(owner, {
      command: join(this.folder, 'run'),
      args: [tool('keepalived'), '--dont-fork', '--log-console', '--log-detail', '--vrrp'],
      logFile: log('keepalived'),
    });
  }

  get address(): string {
    return ADDRESSES[this.side];
  }

  get #plug(): string {
    return `node-${this.side}`;
  }

  /** Switches the machine on. */
  async boot(): Promise<void> {
    this.#machine.start();
    const own = readlinkSync('/proc/self/ns/uts');
    const runsAlone = () => {
      const { pid } = this.#machine;
      return readlinkSync(`/proc/${pid}/ns/uts`) !== own && readlinkSync(`/proc/${pid}/exe`).endsWith('sleep');
    };
    await until(runsAlone, { what: () => `the machine ${this.side}` });
    const enter = `exec nsenter --target ${this.#machine.pid} --net --uts --mount -- "$@"`;
    writeFileSync(join(this.folder, 'run'), `#!/bin/sh\n${enter}\n`);
    chmodSync(join(this.folder, 'run'), 0o755);
    await plugIn(this.#plug, this.#machine.pid, this.address);
  }

  /** Runs a command there to its end. */
  run(...[file = '', ...args]: string[]): Promise<Finished> {
    return tryCommand(join(this.folder, 'run'), [file, ...args], { cwd: this.folder });
  }

  async ip(...args: string[]): Promise<string> {
    const { status, output } = await this.run(tool('ip'), ...args);
    if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${output}`);
    return output;
  }

  configure(certificate: CertificateFiles, { drain, ...config }: { drain?: object; [key: string]: unknown }): void {
    const whole = {
      hostname: 'cr.example.io',
      aliases: [ADDRESSES.vip, ADDRESSES.a, ADDRESSES.b],
      listen: { https: '0.0.0.0:443', admin: '127.0.0.1:9443' },
      tls: { certFile: certificate.certFile, keyFile: certificate.keyFile },
      peers: [`https://${ADDRESSES.a}`, `https://${ADDRESSES.b}`],
      ...config,
      drain: { vip: [ADDRESSES.vip], leaveFile: '/run/breakwater/leave', ...drain },
    };
    writeFileSync(join(this.folder, 'breakwater.yaml'), stringify(scaleUpstreamTimes(whole)));
  }

  async startEdge(): Promise<void> {
    this.#edge.start();
    await this.#edge.waitForLog(/^\{.*"msg":"listening".*\}$/m, 30_000);
  }

  startKeepalived(): void {
    this.#keepalived.start();
  }

  get edge(): Program {
    return this.#edge;
  }

  get keepalived(): Program {
    return this.#keepalived;
  }

  /** kill -9 of every process of keepalived there: it cleans nothing up. */
  async killAllOfKeepalived(): Promise<void> {
    const parent = this.#keepalived.pid;
    // The parent would restart a child, and a child would clean up if its parent ended first.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const)
      for (const pid of [parent, ...childrenOf(parent)]) process.kill(pid, signal);
    await this.#keepalived.ended();
  }

  async holdsVip(): Promise<boolean> {
    return (await this.ip('-oneline', 'address', 'show', 'dev', 'eth0')).includes(` ${ADDRESSES.vip}/`);
  }

  setPlug(state: 'up' | 'down'): Promise<void> {
    return setPlug(this.#plug, state);
  }

  /** What the node sends to an address vanishes on the way, or arrives again. */
  async cutOff(address: string, cut: boolean): Promise<void> {
    if (cut) await this.ip('neigh', 'replace', address, 'lladdr', NOWHERE, 'nud', 'permanent', 'dev', 'eth0');
    else await this.ip('neigh', 'delete', address, 'dev', 'eth0');
  }

  /** What its admin listener answers. */
  async get(path: string): Promise<string> {
    const [text = ''] = await this.getAll([path]);
    return text;
  }

  async getAll(paths: readonly string[]): Promise<string[]> {
    const urls = paths.map((path) => `http://127.0.0.1:9443${path}`);
    const options = ['-sS', '--fail', '--max-time', '10', '--write-out', END_OF_ANSWER];
    const { status, stdout, output } = await this.run('curl', ...options, ...urls);
    if (status !== 0) throw new Error(`${paths[0]} of ${this.side}: ${output}`);
    return stdout.split(END_OF_ANSWER).slice(0, -1);
  }

  async status(): Promise<EdgeStatus> {
    return JSON.parse(await this.get('/api/status'));
  }

  /** Waits until its status is as wanted. */
  async waitFor(wanted: (status: EdgeStatus) => boolean | undefined, timeout = 30_000): Promise<EdgeStatus> {
    let last: EdgeStatus | undefined;
    const look = async () => {
      last = await this.status().catch(() => undefined);
      return last && wanted(last) ? last : undefined;
    };
    const what = () => `${wanted} at ${this.side}; ${JSON.stringify(last)}\n${this.story()}`;
    return until(look, { timeout, every: 100, what });
  }

  /** What a failure is understood by. */
  story(): string {
    const odd = this.#edge
      .log()
      .split('\n')
      .filter((line) => !line.includes('"msg":"request"'));
    return `edge ${this.side}:\n${odd.slice(-60).join('\n')}\nkeepalived ${this.side}:\n${this.#keepalived.log().slice(-4000)}`;
  }
}

function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
  return pids.filter((pid) => {
    try {
      // The name, in parentheses, may contain anything.
      return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]) === parent;
    } catch {
      return false;
    }
  });
}
