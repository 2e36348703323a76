import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from './command.ts';
import type { ClientUser, ContainerClient } from './container-client.ts';
import { Program } from './program.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

/** A real dockerd of its own, driven by `docker`. Who logged in once stays so, by the token that docker keeps in place of the password. */
export class Docker implements ContainerClient {
  readonly name = 'docker';
  readonly #folder: string;
  readonly #daemon: Program;
  readonly #loggedIn = new Map<string, string>();
  #logins = 0;
  #host = '';
  #user: ClientUser | undefined;

  /** @param etc a folder that dockerd has in place of /etc */
  constructor(owner: Owner, etc = '/etc') {
    this.#folder = temporaryFolder(owner);
    this.#daemon = new Program(owner, {
      // In a mount namespace of its own: what it mounts is gone with it, however it ends.
      command: tool('unshare'),
      args: [
        ...['--mount', 'sh', '-c', 'mount --bind "$0" /etc && exec "$@"', etc, tool('dockerd')],
        ...['--host', this.address, '--pidfile', join(this.#folder, 'pid')],
        ...['--data-root', join(this.#folder, 'root'), '--exec-root', join(this.#folder, 'exec')],
        ...['--storage-driver=vfs', '--bridge=none', '--iptables=false', '--ip6tables=false'],
        ...['--ip-forward=false', '--ip-masq=false'],
      ],
      logFile: join(this.#folder, 'dockerd.log'),
    });
  }

  async start(): Promise<this> {
    this.#daemon.start();
    await this.#daemon.waitForLog(/API listen on/);
    return this;
  }

  as(host: string, user: ClientUser | undefined): void {
    this.#host = host;
    this.#user = user;
  }

  /** `docker login`, anew even for one who is logged in. */
  async login(): Promise<Finished> {
    const user = this.#user;
    if (!user) throw new Error('nobody cannot log in');
    const key = keyOf(this.#host, user);
    this.#logins += 1;
    const folder = join(this.#folder, `config-${this.#logins}`);
    mkdirSync(folder, { recursive: true });
    // With a login in its file, docker keeps others there too. Otherwise it takes `pass`, wherever that is installed.
    writeFileSync(join(folder, 'config.json'), '{"auths":{"other.test":{}}}');
    const password = join(folder, 'password');
    writeFileSync(password, user.password);
    const line = 'exec "$0" --config "$1" --host "$2" login --username "$3" --password-stdin "$4" <"$5"';
    const args = [tool('docker'), folder, this.address, user.name, this.#host, password];
    const done = await tryCommand('sh', ['-c', line, ...args]);
    if (done.status === 0) this.#loggedIn.set(key, folder);
    return done;
  }

  /** What docker keeps of the login, as its configuration file has it. */
  kept(): { auth?: string; identitytoken?: string } {
    const folder = this.#loggedIn.get(keyOf(this.#host, this.#user));
    if (folder === undefined) throw new Error(`${this.#user?.name} is not logged in`);
    const { auths }: { auths: Record<string, object> } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    return auths[this.#host] ?? {};
  }

  async push(layout: string, image: string): Promise<void> {
    const pushed = await this.tryPush(layout, image);
    if (pushed.status !== 0) throw new Error(`docker push ${image}: ${pushed.status}\n${pushed.output}`);
  }

  async tryPush(layout: string, image: string): Promise<Finished> {
    const archive = join(this.#folder, 'image.tar');
    await command('rm', ['-f', archive]);
    await command(tool('skopeo'), [
      ...['--insecure-policy', 'copy', '--quiet', `oci:${layout}:latest`, `docker-archive:${archive}:${image}`],
    ]);
    await this.#run('load', '--quiet', '--input', archive);
    return this.#asUser('push', '--quiet', image);
  }

  async pull(image: string): Promise<string> {
    const pulled = await this.tryPull(image);
    if (pulled.status !== 0) throw new Error(`docker pull ${image}: ${pulled.status}\n${pulled.output}`);
    return /^Digest: (sha256:[0-9a-f]{64})/m.exec(pulled.output)?.[1] ?? 'nothing';
  }

  async tryPull(image: string): Promise<Finished> {
    const here = (await this.#run('images', '--all', '--quiet')).stdout.split('\n').filter(Boolean);
    if (here.length > 0) await this.#run('rmi', '--force', ...new Set(here));
    return this.#asUser('pull', image);
  }

  async #asUser(...args: string[]): Promise<Finished> {
    const user = this.#user;
    const nobody = join(this.#folder, 'nobody');
    let folder = user ? this.#loggedIn.get(keyOf(this.#host, user)) : nobody;
    if (folder === undefined) {
      const done = await this.login();
      if (done.status !== 0) return done;
      folder = this.#loggedIn.get(keyOf(this.#host, user));
    }
    return tryCommand(tool('docker'), ['--config', folder ?? nobody, '--host', this.address, ...args]);
  }

  #run(...args: string[]): Promise<Finished> {
    return command(tool('docker'), ['--host', this.address, ...args]);
  }

  /** As DOCKER_HOST has it. */
  get address(): string {
    return `unix://${join(this.#folder, 'd.sock')}`;
  }
}

function keyOf(host: string, user: ClientUser | undefined): string {
  return JSON.stringify([host, user?.name, user?.password]);
}
