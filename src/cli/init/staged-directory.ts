import { randomBytes } from 'node:crypto';
import { chmod, chown, link, mkdir, readdir, realpath, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '../config-path.ts';
import type { FileOwner } from './file-owner.ts';

export interface StagedFile {
  name: string;
  content: string | Buffer;
  /** Only its owner may read it. */
  isSecret: boolean;
  /** A new one stays with the user of this command, because the service does not need it. */
  isPrivate?: boolean;
}

const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const FOLDER_MODE = 0o755;
const MARK = '.init-';

/** Files that are complete in a directory beside their own one, before any of them is seen. */
export class StagedDirectory {
  /** Where the files are until `publish`. */
  readonly path: string;
  readonly #target: string;
  readonly #owner: FileOwner | undefined;
  readonly #names: string[] = [];

  private constructor(path: string, target: string, owner: FileOwner | undefined) {
    this.path = path;
    this.#target = target;
    this.#owner = owner;
  }

  /**
   * @param owner who gets the files. Undefined: if root writes them, the owner of the file that is replaced, else the owner of its directory
   * @throws UsageError
   */
  static async create(directory: string, owner: FileOwner | undefined): Promise<StagedDirectory> {
    // A symbolic link stays; files go to where it leads.
    const target = await realpath(directory).catch(() => resolve(directory));
    const path = join(dirname(target), `.${basename(target)}${MARK}${randomBytes(6).toString('hex')}`);
    try {
      await mkdir(dirname(target), { recursive: true });
      await mkdir(path, { mode: 0o700 });
    } catch (error) {
      throw new UsageError(`${dirname(target)} cannot be written: ${(error as Error).message}`);
    }
    return new StagedDirectory(path, target, owner);
  }

  async write({ name, content, isSecret, isPrivate = false }: StagedFile): Promise<void> {
    const file = join(this.path, name);
    try {
      await mkdir(dirname(file), { recursive: true, mode: FOLDER_MODE });
      // Flushed, so that a crash of the machine leaves no empty file under the name.
      await writeFile(file, content, { mode: isSecret ? SECRET_MODE : PUBLIC_MODE, flag: 'wx', flush: true });
      await this.#giveAway(file, { name, isSecret, isPrivate });
    } catch (error) {
      throw new UsageError(`${file} cannot be written: ${(error as Error).message}`);
    }
    this.#names.push(name);
  }

  /**
   * Moves the files to their place, in the order in which they were written.
   * @param replaces whether files that are there are replaced
   * @throws UsageError if one is there, or cannot be written
   */
  async publish(replaces: boolean): Promise<void> {
    try {
      // The names of this directory are seen at once, or not at all.
      if (await this.#becomesTarget()) return;
      const made: string[] = [];
      for (const name of this.#names) {
        const [from, to] = [join(this.path, name), join(this.#target, name)];
        await mkdir(dirname(to), { recursive: true, mode: FOLDER_MODE });
        if (replaces) await rename(from, to);
        else {
          await link(from, to).catch(async (error: Error) => {
            await Promise.all(made.map((file) => unlink(file)));
            throw error;
          });
          made.push(to);
          await unlink(from);
        }
      }
      await this.discard();
    } catch (error) {
      throw new UsageError(`${this.#target} cannot be written: ${(error as Error).message}`);
    }
  }

  async discard(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  async #giveAway(file: string, { name, isSecret, isPrivate }: Omit<StagedFile, 'content'>): Promise<void> {
    if (this.#owner) {
      if (!isPrivate) await chown(file, this.#owner.uid, this.#owner.gid);
      return;
    }
    const place = join(this.#target, name);
    const present = await stat(place).catch(() => undefined);
    // A secret may stay readable for the group that it was given to.
    if (present && isSecret) await chmod(file, present.mode & 0o770);
    const model = present ?? (isPrivate ? undefined : await stat(dirname(place)).catch(() => undefined));
    if (model && process.geteuid?.() === 0) await chown(file, model.uid, model.gid);
  }

  async #becomesTarget(): Promise<boolean> {
    if (await exists(this.#target)) return false;
    await chmod(this.path, FOLDER_MODE);
    if (this.#owner) await chown(this.path, this.#owner.uid, this.#owner.gid);
    await rename(this.path, this.#target);
    return true;
  }
}

/** Directories of earlier runs that were killed. They have secrets in them. */
export async function leftBehind(directory: string): Promise<string[]> {
  const target = await realpath(directory).catch(() => resolve(directory));
  const names = await readdir(dirname(target)).catch(() => []);
  return names
    .filter((name) => name.startsWith(`.${basename(target)}${MARK}`))
    .map((name) => join(dirname(target), name));
}

async function exists(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}
