import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from './command.ts';
import type { ClientUser, ContainerClient } from './container-client.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

/** The real skopeo. Without an authority it speaks plain HTTP where HTTPS is not answered. */
export class Skopeo implements ContainerClient {
  readonly name = 'skopeo';
  readonly #folder: string;
  readonly #certificates: string | undefined;
  #pulls = 0;
  #user: ClientUser | undefined;

  /** `certificates`: a folder with the authority's certificate as `ca.crt`. */
  constructor(owner: Owner, certificates?: string) {
    this.#folder = temporaryFolder(owner);
    this.#certificates = certificates;
  }

  as(_host: string, user: ClientUser | undefined): void {
    this.#user = user;
  }

  async push(layout: string, image: string): Promise<string> {
    await this.copy(`oci:${layout}:latest`, `docker://${image}`);
    return image;
  }

  tryPush(layout: string, image: string): Promise<Finished> {
    return tryCommand(tool('skopeo'), this.#copyArguments(`oci:${layout}:latest`, `docker://${image}`));
  }

  async pull(image: string): Promise<string> {
    this.#pulls += 1;
    const layout = join(this.#folder, `pull-${this.#pulls}`);
    await this.copy(`docker://${image}`, `oci:${layout}:latest`);
    const index: { manifests: { digest: string }[] } = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'));
    return index.manifests[0]?.digest ?? 'nothing';
  }

  tryPull(image: string): Promise<Finished> {
    this.#pulls += 1;
    const layout = join(this.#folder, `pull-${this.#pulls}`);
    return tryCommand(tool('skopeo'), this.#copyArguments(`docker://${image}`, `oci:${layout}:latest`));
  }

  async copy(from: string, to: string): Promise<void> {
    await command(tool('skopeo'), this.#copyArguments(from, to));
  }

  #copyArguments(from: string, to: string): string[] {
    const tls = (side: 'src' | 'dest') =>
      this.#certificates ? [`--${side}-cert-dir=${this.#certificates}`] : [`--${side}-tls-verify=false`];
    const side = from.startsWith('docker:') ? 'src' : 'dest';
    const user = this.#user ? [`--${side}-creds=${this.#user.name}:${this.#user.password}`] : [];
    return ['--insecure-policy', 'copy', '--all', '--quiet', ...tls('src'), ...tls('dest'), ...user, from, to];
  }
}
