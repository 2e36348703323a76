import { join } from 'node:path';
import { type Finished, tryCommand } from '../helpers/command.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';
import type { OutageClient } from './clients.ts';

const LONGEST_MS = 180_000;

/** A client that copies between an OCI layout and a registry, such as oras and regctl. It needs no daemon. */
export class CopyingClient implements OutageClient {
  readonly name: 'oras' | 'regctl';
  readonly #folder: string;
  readonly #authority: string;
  #pulls = 0;

  /** `certificates`: a folder with the authority's certificate as `ca.crt`. */
  constructor(name: 'oras' | 'regctl', owner: Owner, certificates: string) {
    this.name = name;
    this.#folder = temporaryFolder(owner);
    this.#authority = join(certificates, 'ca.crt');
  }

  tryPull(image: string): Promise<Finished> {
    this.#pulls += 1;
    const layout = join(this.#folder, `pull-${this.#pulls}:latest`);
    return this.name === 'oras'
      ? this.#run('copy', '--from-ca-file', this.#authority, image, '--to-oci-layout', layout)
      : this.#run('image', 'copy', image, `ocidir://${layout}`);
  }

  tryPush(layout: string, image: string): Promise<Finished> {
    return this.name === 'oras'
      ? this.#run('copy', '--from-oci-layout', `${layout}:latest`, '--to-ca-file', this.#authority, image)
      : this.#run('image', 'copy', `ocidir://${layout}:latest`, image);
  }

  #run(...args: string[]): Promise<Finished> {
    const env = { PATH: process.env.PATH, HOME: this.#folder, SSL_CERT_FILE: this.#authority };
    return tryCommand(tool(this.name), args, { env, timeout: LONGEST_MS });
  }
}
