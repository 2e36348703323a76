import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from './command.ts';
import type { ClientUser, ContainerClient } from './container-client.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

/** The real crane (go-containerregistry), which speaks HTTP/2 where it is offered. */
export class Crane implements ContainerClient {
  readonly name = 'crane';
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  #pulls = 0;

  /** `certificates`: a folder with the authority's certificate as `ca.crt`. */
  constructor(owner: Owner, certificates: string) {
    this.#folder = temporaryFolder(owner);
    this.#env = { PATH: process.env.PATH, HOME: this.#folder, SSL_CERT_FILE: join(certificates, 'ca.crt') };
  }

  as(host: string, user: ClientUser | undefined): void {
    const auth = user && Buffer.from(`${user.name}:${user.password}`).toString('base64');
    mkdirSync(join(this.#folder, '.docker'), { recursive: true });
    writeFileSync(
      join(this.#folder, '.docker', 'config.json'),
      JSON.stringify({ auths: auth === undefined ? {} : { [host]: { auth } } }),
    );
  }

  async push(layout: string, image: string): Promise<void> {
    await command(tool('crane'), ['push', layout, image], { env: this.#env });
  }

  tryPush(layout: string, image: string): Promise<Finished> {
    return tryCommand(tool('crane'), ['push', layout, image], { env: this.#env });
  }

  async pull(image: string): Promise<string> {
    this.#pulls += 1;
    const layout = join(this.#folder, `pull-${this.#pulls}`);
    await command(tool('crane'), ['pull', '--format=oci', image, layout], { env: this.#env });
    return this.digest(image);
  }

  tryPull(image: string): Promise<Finished> {
    this.#pulls += 1;
    const layout = join(this.#folder, `pull-${this.#pulls}`);
    return tryCommand(tool('crane'), ['pull', '--format=oci', image, layout], { env: this.#env });
  }

  async digest(image: string): Promise<string> {
    return (await command(tool('crane'), ['digest', image], { env: this.#env })).stdout.trim();
  }
}
