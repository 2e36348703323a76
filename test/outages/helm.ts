import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from '../helpers/command.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';
import type { OutageClient } from './clients.ts';

const LONGEST_MS = 180_000;
const VERSION = '1.0.0';

/** The real helm. In place of the image `library/app:v1` it pulls and pushes the chart `library/app-chart`. */
export class Helm implements OutageClient {
  readonly name = 'helm';
  readonly #folder: string;
  readonly #trust: readonly string[];

  /** `certificates`: a folder with the authority's certificate as `ca.crt`. Undefined: plain HTTP. */
  constructor(owner: Owner, certificates?: string) {
    this.#folder = temporaryFolder(owner);
    this.#trust = certificates === undefined ? ['--plain-http'] : ['--ca-file', join(certificates, 'ca.crt')];
  }

  tryPull(image: string): Promise<Finished> {
    const { folder, name } = chartOf(image);
    const to = temporaryFolder({ teardown: () => undefined });
    return this.#run('pull', `oci://${folder}/${name}`, '--version', VERSION, '--destination', to);
  }

  async tryPush(_layout: string, image: string): Promise<Finished> {
    const { folder, name } = chartOf(image);
    const chart = join(this.#folder, name);
    mkdirSync(join(chart, 'templates'), { recursive: true });
    writeFileSync(join(chart, 'Chart.yaml'), `apiVersion: v2\nname: ${name}\nversion: ${VERSION}\n`);
    writeFileSync(join(chart, 'templates', 'note.yaml'), `# ${image}\n`);
    const env = { PATH: process.env.PATH, HOME: this.#folder };
    await command(tool('helm'), ['package', chart, '--destination', this.#folder], { env });
    return this.#run('push', join(this.#folder, `${name}-${VERSION}.tgz`), `oci://${folder}`);
  }

  #run(...args: string[]): Promise<Finished> {
    const env = { PATH: process.env.PATH, HOME: this.#folder };
    return tryCommand(tool('helm'), [...args, ...this.#trust], { env, timeout: LONGEST_MS });
  }
}

function chartOf(image: string): { folder: string; name: string } {
  const [, folder = '', name = ''] = /^(.*)\/([^/:]+):[^:/]+$/.exec(image) ?? [];
  return { folder, name: `${name}-chart` };
}
