import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { command, type Finished, tryCommand } from '../helpers/command.ts';
import { LAUNCHER } from '../helpers/edge.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';

/** Registries that a node of these tests must never reach. */
const ELSEWHERE = [
  'docker.io',
  'registry-1.docker.io',
  'auth.docker.io',
  'index.docker.io',
  'production.cloudflare.docker.com',
];

/** The files of a node: those of this machine in a copy of `/etc`, and what is installed there. */
export class NodeFiles {
  /** Folder in place of `/`. */
  readonly root: string;
  readonly #scripts: string;

  constructor(owner: Owner, hostname: string) {
    this.root = temporaryFolder(owner);
    this.#scripts = temporaryFolder(owner);
    cpSync('/etc', join(this.root, 'etc'), { recursive: true, verbatimSymlinks: true });
    for (const folder of ['docker', 'containerd', 'buildkit', 'containers/registries.conf.d'])
      mkdirSync(join(this.root, 'etc', folder), { recursive: true });
    const names = [hostname, ...ELSEWHERE].map((name) => `127.0.0.1 ${name}\n`).join('');
    writeFileSync(join(this.root, 'etc/hosts'), `127.0.0.1 localhost\n${names}`);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  /** Installs what `breakwater client` writes, by its script, or by that of its DaemonSet. */
  async install(kind: string, options: readonly string[]): Promise<void> {
    const script = join(this.#scripts, 'install.sh');
    if (kind === 'kubernetes') {
      await command(LAUNCHER, ['client', kind, ...options, '--output', this.#scripts]);
      const documents = parseAllDocuments(readFileSync(join(this.#scripts, 'breakwater-client.yaml'), 'utf8'));
      const objects = documents.map((document) => document.toJS());
      writeFileSync(script, objects.find((object) => object.kind === 'ConfigMap').data['install.sh']);
    } else await command(LAUNCHER, ['client', kind, ...options, '--script', script]);
    await command('sh', [script], { env: { PATH: process.env.PATH, BREAKWATER_ROOT: this.root } });
  }

  /** How a program is started that has these files in place of those of the machine. */
  inside(file: string, args: readonly string[]): [string, string[]] {
    const line = 'mount --bind "$0" /etc && exec "$@"';
    return [tool('unshare'), ['--mount', 'sh', '-c', line, join(this.root, 'etc'), file, ...args]];
  }

  try(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
    const [program, line] = this.inside(file, args);
    return tryCommand(program, line, { env: { PATH: process.env.PATH, ...env }, timeout: 120_000 });
  }
}
