import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finished, tryCommand } from '../helpers/command.ts';
import { Program } from '../helpers/program.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';
import type { OutageClient } from './clients.ts';

const LONGEST_MS = 180_000;

/** A real containerd of its own, asked through its CRI as the kubelet does. It only pulls. */
export class Crictl implements OutageClient {
  readonly name = 'crictl';
  readonly #folder: string;
  readonly #authority: string;
  readonly #daemon: Program;

  /** `certificates`: a folder with the authority's certificate as `ca.crt`. */
  constructor(owner: Owner, certificates: string) {
    this.#folder = temporaryFolder(owner);
    this.#authority = join(certificates, 'ca.crt');
    const configFile = join(this.#folder, 'config.toml');
    writeFileSync(configFile, this.#config());
    this.#daemon = new Program(owner, {
      command: tool('containerd'),
      args: ['--config', configFile],
      logFile: join(this.#folder, 'containerd.log'),
    });
  }

  async start(): Promise<this> {
    this.#daemon.start();
    await this.#daemon.waitForLog(/containerd successfully booted/);
    return this;
  }

  tryPull(image: string): Promise<Finished> {
    const [host = ''] = image.split('/');
    const folder = join(this.#folder, 'hosts', host);
    mkdirSync(folder, { recursive: true });
    const server = `https://${host}`;
    writeFileSync(
      join(folder, 'hosts.toml'),
      `server = "${server}"\n[host."${server}"]\ncapabilities = ["pull", "resolve"]\nca = "${this.#authority}"\n`,
    );
    const socket = `unix://${join(this.#folder, 'c.sock')}`;
    return tryCommand(tool('crictl'), ['--runtime-endpoint', socket, '--image-endpoint', socket, 'pull', image], {
      env: { PATH: process.env.PATH, HOME: this.#folder },
      timeout: LONGEST_MS,
    });
  }

  #config(): string {
    const path = (name: string) => JSON.stringify(join(this.#folder, name));
    return [
      'version = 2',
      `root = ${path('root')}`,
      `state = ${path('state')}`,
      'disabled_plugins = ["io.containerd.internal.v1.opt"]',
      `[grpc]\naddress = ${path('c.sock')}`,
      `[ttrpc]\naddress = ${path('t.sock')}`,
      '[plugins."io.containerd.grpc.v1.cri".containerd]\nsnapshotter = "native"',
      `[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = ${path('hosts')}`,
      '',
    ].join('\n');
  }
}
