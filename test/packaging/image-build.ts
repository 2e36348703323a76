import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from '../helpers/command.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';

const root = join(import.meta.dirname, '../..');
/** The pinned Node, which plays the one of the base image. */
const node = join(root, `node_modules/node-linux-${process.arch}/bin`);
// npm as the machine has it, not the pinned Node that tests have first on their PATH.
const path = (process.env.PATH ?? '').split(':').filter((folder) => !folder.includes('node_modules'));

/** Builds images with podman, in a storage of their own, over a base that is made of this machine's programs, because none can be pulled. */
export class ImageBuild {
  static readonly BASE = 'localhost/base';
  readonly #folder: string;
  /** For programs that shall use this storage and this base. There is no engine to run containers, so RUN steps use chroot. */
  readonly env: NodeJS.ProcessEnv;

  constructor(owner: Owner) {
    this.#folder = temporaryFolder(owner);
    this.env = {
      ...process.env,
      CONTAINERS_STORAGE_CONF: join(this.#folder, 'storage.conf'),
      BUILDAH_ISOLATION: 'chroot',
      NODE_IMAGE: ImageBuild.BASE,
    };
    // Layers are mounts, and owned by others: only podman can remove them.
    owner.teardown(() => this.#podman(['rmi', '--all', '--force']));
  }

  async makeBase(): Promise<Finished> {
    const [graph, run, files] = ['root', 'run', 'base'].map((name) => join(this.#folder, name));
    await writeFile(
      this.env.CONTAINERS_STORAGE_CONF ?? '',
      `[storage]\ndriver = "overlay"\ngraphroot = "${graph}"\nrunroot = "${run}"\n`,
    );
    const script = join(import.meta.dirname, 'own-base.sh');
    await command('sh', [script, files ?? '', node], { env: { ...process.env, PATH: path.join(':') } });
    const dockerfile = join(this.#folder, 'Dockerfile');
    await writeFile(dockerfile, 'FROM scratch\nENV PATH=/usr/local/bin:/usr/bin:/bin\nCOPY . /\n');
    return this.build(dockerfile, files ?? '', ImageBuild.BASE);
  }

  /**
   * Builds a Dockerfile that is given as text, from a context of these files. What shall run in an image is a RUN step of one that is
   * built on it.
   */
  async buildText(text: string, tag: string, files: Record<string, string> = {}): Promise<Finished> {
    const context = join(this.#folder, 'context', encodeURIComponent(tag));
    await mkdir(context, { recursive: true });
    for (const [name, content] of Object.entries({ Dockerfile: text, ...files })) {
      await writeFile(join(context, name), content);
    }
    return this.build(join(context, 'Dockerfile'), context, tag);
  }

  build(file: string, context: string, tag: string): Promise<Finished> {
    const options = ['--format', 'docker', '--pull=never', '--layers=false', '--timestamp', '0', '--omit-history'];
    return this.#podman(['build', ...options, '--tag', tag, '--file', file, context]);
  }

  /** What an image says of itself. */
  async inspect(tag: string): Promise<ImageConfig> {
    const { stdout } = await this.#podman(['inspect', '--type', 'image', tag]);
    const [image] = JSON.parse(stdout) as [
      { Config: ImageConfig; Digest: string; Healthcheck?: ImageConfig['Healthcheck'] },
    ];
    return { ...image.Config, Digest: image.Digest, Healthcheck: image.Config.Healthcheck ?? image.Healthcheck };
  }

  #podman(args: readonly string[]): Promise<Finished> {
    return tryCommand(tool('podman'), [...args], { timeout: 500_000, env: this.env });
  }
}

export interface ImageConfig {
  Digest: string;
  User: string;
  Entrypoint: string[];
  Cmd: string[];
  Env: string[];
  StopSignal: string;
  ExposedPorts: Record<string, unknown>;
  Labels: Record<string, string>;
  Healthcheck: { Test: string[] } | undefined;
}
