import { constants } from 'node:fs';
import { open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './command.ts';

/** The storage under a real docker-registry, and the ways in which a NAS breaks it. The registry itself runs on. */
export class RegistryStorage {
  readonly root: string;
  readonly #away: string;
  #pipes: string[] = [];

  constructor(root: string) {
    this.root = root;
    this.#away = `${root}.away`;
  }

  /** Storage hangs: every blob becomes a FIFO, so that who opens it waits. `/v2/` answers as ever. */
  async hang(): Promise<void> {
    const entries = await readdir(join(this.root, 'docker/registry/v2/blobs'), {
      recursive: true,
      withFileTypes: true,
    });
    const files = entries.filter((entry) => entry.isFile() && entry.name === 'data');
    this.#pipes = files.map((file) => join(file.parentPath, file.name));
    await command(
      'mkfifo',
      this.#pipes.map((path) => `${path}.pipe`),
    );
    for (const path of this.#pipes) {
      await rename(path, `${path}.kept`);
      await rename(`${path}.pipe`, path);
    }
  }

  /** Ends `hang`; those who wait get an end of file, as from a NAS that comes back having lost their reads. */
  async unhang(): Promise<void> {
    for (const path of this.#pipes) {
      // Opened for both, it does not wait; closing it releases every reader that does.
      const pipe = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
      await rename(`${path}.kept`, path);
      await pipe.close();
    }
    this.#pipes = [];
  }

  /** Storage is gone, as if unmounted: manifests are 404, and a push would be taken onto the bare mount point. */
  async moveAway(): Promise<void> {
    await rename(this.root, this.#away);
  }

  /** Ends `moveAway`; what was written onto the bare mount point is gone. */
  async moveBack(): Promise<void> {
    const bare = `${this.root}.bare`;
    // Aside first: the registry goes on writing there while it is removed.
    await rename(this.root, bare).catch(ignoreAbsent);
    await rename(this.#away, this.root);
    await rm(bare, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Every access fails with neither "not there" nor a wait (ENOTDIR, in place of ESTALE or EIO): the registry says 500. */
  async fail(): Promise<void> {
    await this.moveAway();
    while (!(await this.#block())) await rm(this.root, { recursive: true, force: true });
  }

  /** A file in place of the folder; false: the registry was faster, and made the folder anew for an upload. */
  async #block(): Promise<boolean> {
    try {
      await writeFile(this.root, '', { flag: 'wx' });
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'EISDIR' || error.code === 'EEXIST'))
        return false;
      throw error;
    }
  }

  /** Ends `fail`. */
  async mend(): Promise<void> {
    await this.moveBack();
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
