import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from './command.ts';
import type { ClientUser, ContainerClient } from './container-client.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

/** The real podman, with a store of its own. */
export class Podman implements ContainerClient {
  readonly name = 'podman';
  readonly #folder: string;
  readonly #policy: string;
  readonly #certificates: string;
  #user: ClientUser | undefined;

  /** `certificates`: a folder with the authority's certificate as `ca.crt`. */
  constructor(owner: Owner, certificates: string) {
    this.#folder = temporaryFolder(owner);
    this.#certificates = certificates;
    this.#policy = join(this.#folder, 'policy.json');
    writeFileSync(this.#policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  }

  as(_host: string, user: ClientUser | undefined): void {
    this.#user = user;
  }

  async push(layout: string, image: string): Promise<void> {
    const pushed = await this.tryPush(layout, image);
    if (pushed.status !== 0) throw new Error(`podman push ${image}: ${pushed.status}\n${pushed.output}`);
  }

  async tryPush(layout: string, image: string): Promise<Finished> {
    const loaded = await this.#run('pull', '--quiet', `--signature-policy=${this.#policy}`, `oci:${layout}:latest`);
    const id = loaded.stdout.trim();
    return tryCommand(tool('podman'), [
      ...this.#global(),
      'push',
      `--cert-dir=${this.#certificates}`,
      `--signature-policy=${this.#policy}`,
      '--format=oci',
      ...this.#credentials(),
      id,
      `docker://${image}`,
    ]);
  }

  async pull(image: string): Promise<string> {
    await this.#run('rmi', '--all', '--force');
    const pulled = await this.#run(...this.#pullArguments(image));
    const inspected = await this.#run('image', 'inspect', '--format', '{{.Digest}}', pulled.stdout.trim());
    return inspected.stdout.trim();
  }

  async tryPull(image: string): Promise<Finished> {
    await this.#run('rmi', '--all', '--force');
    return tryCommand(tool('podman'), [...this.#global(), ...this.#pullArguments(image)]);
  }

  #pullArguments(image: string): string[] {
    return [
      ...['pull', '--quiet', `--cert-dir=${this.#certificates}`, `--signature-policy=${this.#policy}`],
      ...this.#credentials(),
      `docker://${image}`,
    ];
  }

  #credentials(): string[] {
    return this.#user ? [`--creds=${this.#user.name}:${this.#user.password}`] : [];
  }

  #run(...args: string[]): Promise<Finished> {
    return command(tool('podman'), [...this.#global(), ...args]);
  }

  #global(): string[] {
    return [
      `--root=${join(this.#folder, 'root')}`,
      `--runroot=${join(this.#folder, 'run')}`,
      `--tmpdir=${join(this.#folder, 'tmp')}`,
      ...['--storage-driver=vfs', '--runtime=runc', '--cgroup-manager=cgroupfs', '--events-backend=none'],
    ];
  }
}
