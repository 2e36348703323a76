import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finished } from '../helpers/command.ts';
import { Program } from '../helpers/program.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import type { NodeFiles } from './node-files.ts';

/** A buildkitd with the files of a node. It pulls the base image of a Dockerfile. */
export class NodeBuildkit {
  readonly #folder: string;
  readonly #node: NodeFiles;
  readonly #buildctl: string;
  readonly #daemon: Program;
  #builds = 0;

  constructor(owner: Owner, node: NodeFiles, daemon: string) {
    this.#folder = temporaryFolder(owner);
    this.#node = node;
    this.#buildctl = join(daemon, '../buildctl');
    const [file, args] = node.inside(daemon, [
      ...['--config', '/etc/buildkit/buildkitd.toml', '--addr', this.#address, '--root', join(this.#folder, 'root')],
      ...['--oci-worker-snapshotter=native', '--oci-worker-net=host', '--containerd-worker=false'],
    ]);
    this.#daemon = new Program(owner, { command: file, args, logFile: join(this.#folder, 'buildkitd.log') });
  }

  async start(): Promise<this> {
    this.#daemon.start();
    await this.#daemon.waitForLog(/running server on/, 30_000);
    return this;
  }

  tryPull(image: string): Promise<Finished> {
    this.#builds += 1;
    const context = join(this.#folder, `build-${this.#builds}`);
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), `FROM ${image}\n`);
    return this.#node.try(this.#buildctl, [
      ...['--addr', this.#address, 'build', '--progress=plain', '--frontend', 'dockerfile.v0'],
      ...['--local', `context=${context}`, '--local', `dockerfile=${context}`],
      ...['--output', `type=oci,dest=${join(context, 'image.tar')}`],
    ]);
  }

  get #address(): string {
    return `unix://${join(this.#folder, 'b.sock')}`;
  }
}
