import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ClientSite } from '../../../src/clients/client-site.ts';
import { KINDS } from '../../../src/clients/kinds.ts';
import { installScript } from '../../../src/clients/script/install-script.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { siteOf } from '../client-sites.ts';

/** A node below a folder, and the script of one kind for it. */
export class ScriptNode {
  readonly root: string;
  readonly #script: string;

  constructor(owner: Owner) {
    this.root = temporaryFolder(owner);
    this.#script = join(temporaryFolder(owner), 'install.sh');
  }

  /** Another script in place of the last one. */
  give(kind: string, more: Partial<ClientSite> = {}, version?: string): this {
    const generated = KINDS[kind]?.generate({ site: siteOf(more), version });
    if (!generated) throw new Error(kind);
    writeFileSync(this.#script, installScript(generated, { kind, host: 'cr.example.io', version }));
    return this;
  }

  /** Without the programs of this machine, so that a test means the same everywhere. */
  run(...words: string[]): { status: number | null; said: string } {
    const env = { PATH: '/usr/bin:/bin', BREAKWATER_ROOT: this.root, TMPDIR: dirname(this.#script) };
    const { status, stderr } = spawnSync('sh', [this.#script, ...words], { env });
    return { status, said: String(stderr) };
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  files(): string[] {
    const all = readdirSync(this.root, { recursive: true, encoding: 'utf8' });
    return all.filter((name) => statSync(join(this.root, name)).isFile()).sort();
  }
}

export const CA_FILE = 'etc/docker/certs.d/cr.example.io/ca.crt';
export const DAEMON = 'etc/docker/daemon.json';
export const CONFIG = 'etc/containerd/config.toml';
export const HUB = [{ registry: 'docker.io', prefix: '' }];
