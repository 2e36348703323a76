import { join } from 'node:path';
import type { Finished } from '../helpers/command.ts';
import { Program } from '../helpers/program.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';
import type { NodeFiles } from './node-files.ts';

const CONFIG = 'etc/containerd/config.toml';
const MICROK8S = 'var/snap/microk8s/current/args/certs.d';

export interface NodeContainerdOptions {
  daemon: string;
  /** containerd 2, whose CRI has other names. */
  isNew: boolean;
  kind: string;
  by: 'crictl' | 'ctr';
}

/** A containerd of a node, whose own config.toml is there before the files of the edge are added. */
export class NodeContainerd {
  readonly #folder: string;
  readonly #node: NodeFiles;
  readonly #options: NodeContainerdOptions;
  readonly #daemon: Program;

  constructor(owner: Owner, node: NodeFiles, options: NodeContainerdOptions) {
    this.#folder = temporaryFolder(owner);
    this.#node = node;
    this.#options = options;
    node.write(CONFIG, options.isNew ? this.#newConfig() : this.#oldConfig());
    const [file, args] = node.inside(options.daemon, ['--config', '/etc/containerd/config.toml']);
    this.#daemon = new Program(owner, { command: file, args, logFile: join(this.#folder, 'containerd.log') });
  }

  async start(): Promise<this> {
    this.#daemon.start();
    await this.#daemon.waitForLog(/containerd successfully booted/, 30_000);
    return this;
  }

  tryPull(image: string): Promise<Finished> {
    const socket = join(this.#folder, 'c.sock');
    if (this.#options.by === 'crictl') {
      const address = `unix://${socket}`;
      return this.#node.try(tool('crictl'), ['--timeout', '100s', '-r', address, '-i', address, 'pull', image]);
    }
    // The transfer service would unpack as its own configuration says.
    const local = this.#options.isNew ? ['--local'] : [];
    const hosts = [...local, '--hosts-dir', '/etc/containerd/certs.d', '--snapshotter', 'native'];
    const ctr = this.#options.isNew ? join(this.#options.daemon, '../ctr') : tool('ctr');
    return this.#node.try(ctr, ['--address', socket, '--namespace', 'test', 'images', 'pull', ...hosts, image]);
  }

  #oldConfig(): string {
    return [
      '# The comments of a node stay.',
      'version = 2',
      ...this.#places(),
      '[plugins."io.containerd.grpc.v1.cri".containerd]\nsnapshotter = "native"',
      ...this.#configPath('plugins."io.containerd.grpc.v1.cri".registry'),
      '',
    ].join('\n');
  }

  #newConfig(): string {
    return [
      '# The comments of a node stay.',
      'version = 3',
      ...this.#places(),
      "[plugins.'io.containerd.cri.v1.images']\nsnapshotter = 'native'\nuse_local_image_pull = true",
      ...this.#configPath("plugins.'io.containerd.cri.v1.images'.registry"),
      '',
    ].join('\n');
  }

  #places(): string[] {
    const path = (name: string) => JSON.stringify(join(this.#folder, name));
    return [
      `root = ${path('root')}`,
      `state = ${path('state')}`,
      'disabled_plugins = ["io.containerd.internal.v1.opt"]',
      `[grpc]\naddress = ${path('c.sock')}`,
      `[ttrpc]\naddress = ${path('t.sock')}`,
    ];
  }

  /** Whoever set up a node of these kinds has set it. */
  #configPath(table: string): string[] {
    const { kind } = this.#options;
    if (kind === 'kubernetes') return [`[${table}]\nconfig_path = "/etc/containerd/certs.d"`];
    return kind === 'microk8s' ? [`[${table}]\nconfig_path = ${JSON.stringify(join(this.#node.root, MICROK8S))}`] : [];
  }
}
