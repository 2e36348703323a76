import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from './command.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

/** Bytes of each file of such an image. */
const FILE_BYTES = 20_000;

/** A podman that pushes layers as `zstd:chunked`, and pulls only those parts of a layer that it lacks. */
export class ChunkedPodman {
  readonly #folder: string;
  readonly #certificates: string;

  /** @param certificates a folder with the authority's certificate as `ca.crt` */
  constructor(owner: Owner, certificates: string) {
    this.#folder = temporaryFolder(owner);
    this.#certificates = certificates;
    // Only this driver takes parts of layers.
    const storage = [
      '[storage]',
      'driver = "overlay"',
      `runroot = "${this.#folder}/run"`,
      `graphroot = "${this.#folder}/root"`,
      '[storage.options]',
      'pull_options = {enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}',
    ];
    writeFileSync(this.#path('storage.conf'), storage.join('\n'));
    writeFileSync(this.#path('policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
    // What is mounted cannot be deleted.
    owner.teardown(async () => {
      await this.#try('image', 'umount', '--all');
      await this.#try('rmi', '--all', '--force');
    });
  }

  /** Whether this machine has the storage for it. */
  async works(): Promise<boolean> {
    return (await this.#try('info')).status === 0;
  }

  /** Pushes an image of one layer with these files, and forgets it. */
  async push(files: readonly Buffer[], image: string): Promise<void> {
    const tree = this.#path('tree');
    rmSync(tree, { recursive: true, force: true });
    mkdirSync(tree);
    for (const [index, bytes] of files.entries()) writeFileSync(join(tree, nameOf(index)), bytes);
    await command(tool('tar'), ['-C', tree, '-cf', this.#path('layer.tar'), '.']);
    await this.#run('import', '--quiet', this.#path('layer.tar'), 'made:1');
    await this.#run('push', '--compression-format=zstd:chunked', ...this.#trust(), 'made:1', `docker://${image}`);
    await this.#run('rmi', '--all', '--force');
  }

  /** @returns what podman says about it */
  async pull(image: string): Promise<string> {
    return (await this.#run('--log-level=debug', 'pull', ...this.#trust(), `docker://${image}`)).output;
  }

  /** Whether an image that was pulled has these files. */
  async has(image: string, files: readonly Buffer[]): Promise<boolean> {
    const { stdout } = await this.#run('image', 'mount', image);
    return files.every((bytes, index) => readFileSync(join(stdout.trim(), nameOf(index))).equals(bytes));
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  #trust(): string[] {
    return [`--cert-dir=${this.#certificates}`, `--signature-policy=${this.#path('policy.json')}`];
  }

  #run(...args: string[]): Promise<Finished> {
    return command(tool('podman'), this.#arguments(args), { env: this.#environment() });
  }

  #try(...args: string[]): Promise<Finished> {
    return tryCommand(tool('podman'), this.#arguments(args), { env: this.#environment() });
  }

  #arguments(args: string[]): string[] {
    const own = [
      `--tmpdir=${this.#path('tmp')}`,
      '--runtime=runc',
      '--cgroup-manager=cgroupfs',
      '--events-backend=none',
    ];
    return [...own, ...args];
  }

  #environment(): NodeJS.ProcessEnv {
    return { ...process.env, CONTAINERS_STORAGE_CONF: this.#path('storage.conf'), TMPDIR: this.#folder };
  }
}

/** Files that cannot be compressed. */
export function newFiles(count: number): Buffer[] {
  return Array.from({ length: count }, () => randomBytes(FILE_BYTES));
}

function nameOf(index: number): string {
  return `file-${String(index).padStart(4, '0')}`;
}
