import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from './command.ts';
import type { ClientUser, ContainerClient } from './container-client.ts';
import { Program } from './program.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

/** A mirror with `override_path`: the registry that it stands for, and the URL with its path. */
export interface PathMirror {
  registry: string;
  url: string;
}

/** A real containerd of its own, driven by `ctr`. */
export class Containerd implements ContainerClient {
  readonly name = 'ctr';
  readonly #folder: string;
  readonly #authority: string;
  readonly #daemon: Program;
  readonly #mirror: PathMirror | undefined;
  #user: ClientUser | undefined;

  /**
   * @param certificates a folder with the authority's certificate as `ca.crt`
   * @param mirror with it, the container runtime interface is served too, for `crictl`
   */
  constructor(owner: Owner, certificates: string, mirror?: PathMirror) {
    this.#mirror = mirror;
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

  as(_host: string, user: ClientUser | undefined): void {
    this.#user = user;
  }

  async push(layout: string, image: string): Promise<void> {
    const pushed = await this.tryPush(layout, image);
    if (pushed.status !== 0) throw new Error(`ctr push ${image}: ${pushed.status}\n${pushed.output}`);
  }

  async tryPush(layout: string, image: string): Promise<Finished> {
    const archive = join(this.#folder, 'image.tar');
    await command('tar', ['-C', layout, '-cf', archive, '.']);
    const [, base = '', tag = ''] = /^(.*):([^:/]+)$/.exec(image) ?? [];
    // The layout calls its image `latest`; ctr names it base:latest.
    await this.#run('images', 'import', '--no-unpack', '--all-platforms', '--base-name', base, archive);
    if (tag !== 'latest') await this.#run('images', 'tag', '--force', `${base}:latest`, image);
    rmSync(archive);
    return tryCommand(
      tool('ctr'),
      this.#args('images', 'push', ...this.#credentials(), '--hosts-dir', this.#hosts(image), image),
    );
  }

  async pull(image: string): Promise<string> {
    await this.#removeAll();
    await this.#run(...this.#pullArguments(image));
    const listed = await this.#run('images', 'list', `name==${image}`);
    return /sha256:[0-9a-f]{64}/.exec(listed.stdout)?.[0] ?? 'nothing';
  }

  async tryPull(image: string): Promise<Finished> {
    await this.#removeAll();
    return tryCommand(tool('ctr'), this.#args(...this.#pullArguments(image)));
  }

  /** Pulls by `crictl`, as kubelet does. */
  tryPullByCri(image: string): Promise<Finished> {
    this.#hosts(image);
    const socket = `unix://${join(this.#folder, 'c.sock')}`;
    return tryCommand(tool('crictl'), ['--timeout', '60s', '-r', socket, '-i', socket, 'pull', image]);
  }

  #pullArguments(image: string): string[] {
    const hosts = ['--hosts-dir', this.#hosts(image)];
    return ['images', 'pull', ...this.#credentials(), '--snapshotter', 'native', ...hosts, image];
  }

  #credentials(): string[] {
    return this.#user ? ['--user', `${this.#user.name}:${this.#user.password}`] : [];
  }

  async #removeAll(): Promise<void> {
    const here = (await this.#run('images', 'list', '--quiet')).stdout.split('\n').filter(Boolean);
    // With --sync the content is collected too, so that everything is fetched anew.
    if (here.length > 0) await this.#run('images', 'remove', '--sync', ...here);
  }

  /** For an address of loopback, ctr heeds neither --tlscacert nor https unless a hosts.toml says so. */
  #hosts(image: string): string {
    const [host = ''] = image.split('/');
    const folder = join(this.#folder, 'hosts');
    mkdirSync(join(folder, host), { recursive: true });
    const mirrored = this.#mirror?.registry === host ? this.#mirror.url : undefined;
    const lines = [
      // Nobody listens there: without its mirror, the registry cannot be reached.
      `server = "${mirrored ? 'https://127.0.0.1:9' : `https://${host}`}"`,
      `[host."${mirrored ?? `https://${host}`}"]`,
      'capabilities = ["pull", "resolve", "push"]',
      ...(mirrored ? ['override_path = true'] : []),
      `ca = "${this.#authority}"`,
    ];
    writeFileSync(join(folder, host, 'hosts.toml'), `${lines.join('\n')}\n`);
    return folder;
  }

  #run(...args: string[]): Promise<Finished> {
    return command(tool('ctr'), this.#args(...args));
  }

  #args(...args: string[]): string[] {
    return ['--address', join(this.#folder, 'c.sock'), '--namespace', 'test', ...args];
  }

  #config(): string {
    const path = (name: string) => JSON.stringify(join(this.#folder, name));
    const cri = [
      '[plugins."io.containerd.grpc.v1.cri".containerd]\nsnapshotter = "native"',
      `[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = ${path('hosts')}`,
    ];
    const disabled = [...(this.#mirror ? [] : ['io.containerd.grpc.v1.cri']), 'io.containerd.internal.v1.opt'];
    return [
      'version = 2',
      `root = ${path('root')}`,
      `state = ${path('state')}`,
      `disabled_plugins = ${JSON.stringify(disabled)}`,
      `[grpc]\naddress = ${path('c.sock')}`,
      `[ttrpc]\naddress = ${path('t.sock')}`,
      ...(this.#mirror ? cri : []),
      '',
    ].join('\n');
  }
}
