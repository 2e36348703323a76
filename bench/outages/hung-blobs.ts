import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../../test/helpers/command.ts';

/** Blobs of a real docker-registry that are FIFOs: a read of such a blob hangs. All other requests work. */
export class HungBlobs {
  readonly #files: string[];

  private constructor(files: string[]) {
    this.#files = files;
  }

  /** @param root the registry's storage */
  static async hang(root: string, digests: readonly string[]): Promise<HungBlobs> {
    const files = digests.map((digest) => {
      const hex = digest.replace(/^sha256:/, '');
      return join(root, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    });
    await command(
      'mkfifo',
      files.map((file) => `${file}.pipe`),
    );
    for (const file of files) {
      await rename(file, `${file}.kept`);
      await rename(`${file}.pipe`, file);
    }
    return new HungBlobs(files);
  }

  /** Readers that hang get an end of file. */
  async release(): Promise<void> {
    for (const file of this.#files) {
      // Opening for reading and writing does not hang, and closing releases every reader.
      const pipe = await open(file, constants.O_RDWR | constants.O_NONBLOCK);
      await rename(`${file}.kept`, file);
      await pipe.close();
    }
  }
}
