import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from '../helpers/command.ts';
import { root } from '../helpers/markdown.ts';
import { Program } from '../helpers/program.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

/** Addresses of the machines of the page. No loopback: there, docker trusts every certificate. */
export const ADDRESSES = {
  'cr.example.io': '10.9.0.1',
  'harbor.lan': '10.9.0.10',
  'europe-docker.pkg.dev': '10.9.0.20',
};

const EDGE = 'cr.example.io';

/** What this machine has of its own, and may change. The rest is read. */
const OVERLAID = ['/etc', '/var/lib'];
const EMPTY = ['/run', '/root', '/var/lib/docker', '/var/lib/containerd', '/var/lib/containers'];
const ABSENT = ['/etc/docker', '/etc/breakwater'];

/** A clean machine on a network with the registries, which are in the namespaces of this process. */
export class DebianMachine {
  readonly #owner: Owner;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #network: Program;

  constructor(owner: Owner, folder: string, env: NodeJS.ProcessEnv) {
    this.#owner = owner;
    this.#folder = folder;
    this.#env = env;
    this.#network = new Program(owner, {
      ...{ command: tool('unshare'), args: ['--net', 'sleep', 'infinity'], logFile: join(folder, 'network.log'), env },
    });
  }

  /** A command line that runs there. */
  inside(...line: string[]): [string, string[]] {
    return [tool('nsenter'), [`--net=/proc/${this.#network.pid}/ns/net`, '--', ...line]];
  }

  /** Connects it with the network of the registries. */
  async connect(): Promise<void> {
    this.#network.start();
    const own = await readlink('/proc/self/ns/net');
    const isElsewhere = async () => (await readlink(`/proc/${this.#network.pid}/ns/net`)) !== own;
    await until(isElsewhere, { what: () => 'a network namespace' });
    const peer = ['peer', 'name', 'eth0', 'netns', String(this.#network.pid)];
    await command('ip', ['link', 'add', 'lan0', 'type', 'veth', ...peer]);
    for (const [name, address] of Object.entries(ADDRESSES)) {
      const [file, args] = name === EDGE ? this.inside('ip') : ['ip', []];
      await command(file, [...args, 'address', 'add', `${address}/24`, 'dev', name === EDGE ? 'eth0' : 'lan0']);
      appendFileSync('/etc/hosts', `${address} ${name}\n`);
    }
    for (const [file, args] of [['ip', [] as string[]] as const, this.inside('ip')])
      for (const device of ['lo', file === 'ip' ? 'lan0' : 'eth0'])
        await command(file, [...args, 'link', 'set', device, 'up']);
  }

  async startDaemons(): Promise<void> {
    const containerd = this.start('containerd', tool('containerd'));
    await containerd.waitForLog(/containerd successfully booted/, 30_000);
    const dockerd = this.start(
      ...['dockerd', tool('dockerd'), '--bridge=none', '--iptables=false'],
      ...['--ip6tables=false', '--ip-forward=false', '--ip-masq=false', '--containerd=/run/containerd/containerd.sock'],
    );
    const isThere = async () => (await tryCommand('docker', ['version'], { env: this.#env })).status === 0;
    const what = () => `dockerd; ${dockerd.log().slice(-1000)}`;
    await until(isThere, { timeout: 30_000, every: 200, what });
  }

  /** Starts a program there that runs until the end. */
  start(name: string, ...line: string[]): Program {
    const [file, args] = this.inside(...line);
    const logFile = join(this.#folder, `${name}.log`);
    const program = new Program(this.#owner, { command: file, args, logFile, env: this.#env, cwd: root });
    program.start();
    return program;
  }

  /** Runs a line of a shell there. */
  run(line: string, timeout: number): Promise<Finished> {
    const [file, args] = this.inside('/bin/bash', '-c', line);
    return tryCommand(file, args, { env: this.#env, cwd: root, timeout });
  }
}

/**
 * Makes file systems of its own of the namespaces of this process, which must be new: nothing is left of what is changed when they are gone.
 * @param folder an empty one, over which they are mounted
 */
export async function makeFileSystems(folder: string): Promise<void> {
  await command('mount', ['--make-rprivate', '/']);
  await command('mount', ['-t', 'tmpfs', 'none', folder]);
  for (const path of OVERLAID) await overlay(path, join(folder, path));
  for (const path of EMPTY) {
    mkdirSync(path, { recursive: true });
    await command('mount', ['-t', 'tmpfs', 'none', path]);
  }
  for (const path of ABSENT) rmSync(path, { recursive: true, force: true });
}

async function overlay(path: string, folder: string): Promise<void> {
  const [upper, work] = [join(folder, 'upper'), join(folder, 'work')];
  for (const one of [upper, work]) mkdirSync(one, { recursive: true });
  await command('mount', ['-t', 'overlay', 'none', '-o', `lowerdir=${path},upperdir=${upper},workdir=${work}`, path]);
}
