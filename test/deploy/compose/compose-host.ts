import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, command, type Finished, tryCommand } from '../../helpers/command.ts';
import { Program } from '../../helpers/program.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tool } from '../../helpers/tool.ts';
import { ImageTree } from './image-tree.ts';

const REGISTRY_CONFIG = `version: 0.1
storage: { filesystem: { rootdirectory: /var/lib/registry } }
http: { addr: ":5000" }
`;

/** A clean machine: a real dockerd in network and mount namespaces of its own, with its bridges, names and published ports. */
export class ComposeHost {
  readonly folder: string;
  readonly #daemon: Program;
  readonly #state: string;

  /** @param names that lead to this machine */
  constructor(owner: Owner, names: readonly string[]) {
    this.folder = temporaryFolder(owner);
    this.#state = temporaryFolder(owner);
    mkdirSync(join(this.#state, 'home/.docker'), { recursive: true });
    // With a login in its file, docker keeps others there too. Otherwise it takes `pass`, wherever that is installed.
    writeFileSync(join(this.#state, 'home/.docker/config.json'), '{"auths":{"other.test":{}}}');
    writeFileSync(join(this.#state, 'hosts'), `127.0.0.1 localhost ${names.join(' ')}\n`);
    writeFileSync(
      join(this.#state, 'start'),
      `set -e
mkdir -p /etc/docker && mount -t tmpfs none /etc/docker
mount --bind '${this.#state}/hosts' /etc/hosts
mkdir data && mount -t tmpfs none data
ip link set lo up
exec "$0" --host '${this.address}' --pidfile '${this.#state}/pid' --data-root '${this.#state}/data' --exec-root '${this.#state}/exec' --storage-driver=overlay2
`,
    );
    this.#daemon = new Program(owner, {
      command: tool('unshare'),
      args: ['--net', '--mount', 'sh', join(this.#state, 'start')],
      logFile: join(this.#state, 'log'),
      cwd: this.#state,
    });
    const [daemon, path] = [tool('dockerd'), process.env.PATH];
    writeFileSync(
      join(this.#state, 'start'),
      readFileSync(join(this.#state, 'start'), 'utf8').replace(
        'exec "$0"',
        `PATH='${path}:/usr/sbin:/sbin' exec '${daemon}'`,
      ),
    );
    // Containers end first, then the daemon, which a teardown of later registration than the program's does.
    owner.teardown(async () => {
      if (!this.#daemon.running) return;
      await this.try('docker ps -aq | xargs -r docker rm -f');
      await this.#daemon.stop(20_000);
    });
  }

  get address(): string {
    return `unix://${this.#state}/d.sock`;
  }

  async start(): Promise<this> {
    this.#daemon.start();
    await this.#daemon.waitForLog(/API listen on/, 30_000);
    return this;
  }

  /** The images that the Compose files name, made from this machine's programs. */
  async importImages(edge: string, registry: string): Promise<void> {
    const shellTools = ['sh', 'head', 'base64', 'tr', 'mv', 'mkdir', 'sleep', 'cat', 'rm', 'dirname', 'readlink'];
    const edgeTree = new ImageTree(join(this.#state, 'edge-image')).addPrograms(...shellTools).addEdge();
    await this.#import(edgeTree, edge, [
      'ENV PATH=/usr/local/bin:/usr/bin:/bin NODE_ENV=production',
      'USER 1000:1000',
      'WORKDIR /opt/breakwater',
      'ENTRYPOINT ["breakwater"]',
      'CMD ["serve"]',
    ]);
    const registryTree = new ImageTree(join(this.#state, 'registry-image')).addPrograms('docker-registry');
    registryTree.write('etc/registry.yml', REGISTRY_CONFIG);
    await this.#import(registryTree, registry, ['ENTRYPOINT ["docker-registry","serve","/etc/registry.yml"]']);
  }

  /** Runs a line of shell on this machine, in the folder. */
  try(line: string, options: CommandOptions = {}): Promise<Finished> {
    return tryCommand(...this.#line(line), { ...this.#options, ...options });
  }

  run(line: string, options: CommandOptions = {}): Promise<Finished> {
    return command(...this.#line(line), { ...this.#options, ...options });
  }

  get #options(): CommandOptions {
    const { PATH } = process.env;
    return {
      cwd: this.folder,
      env: { PATH, HOME: join(this.#state, 'home'), DOCKER_HOST: this.address, COMPOSE_FILE: process.env.COMPOSE_FILE },
    };
  }

  #line(line: string): [string, string[]] {
    const pid = readFileSync(join(this.#state, 'pid'), 'utf8').trim();
    return [tool('nsenter'), [`--target=${pid}`, '--net', '--mount', `--wd=${this.folder}`, 'sh', '-c', line]];
  }

  async #import(tree: ImageTree, name: string, changes: readonly string[]): Promise<void> {
    const archive = `${tree.folder}.tar`;
    execFileSync('tar', ['-C', tree.folder, '-cf', archive, '.']);
    const options = changes.map((change) => `--change '${change}'`).join(' ');
    await this.run(`docker import ${options} ${archive} ${name}`);
  }
}
