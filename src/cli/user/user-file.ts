import { randomUUID } from 'node:crypto';
import { chmod, chown, readFile, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { parseHtpasswd } from '../../config/htpasswd.ts';
import { UsageError } from '../config-path.ts';

const OWNER_ONLY = 0o600;

/** An htpasswd file. A change replaces only the line of one user, so that comments stay. */
export class UserFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Names in the order of the file; none if the file does not exist. @throws UsageError if the file cannot be read */
  async names(): Promise<string[]> {
    const { users, errors } = parseHtpasswd(await this.#text());
    if (errors.length > 0) throw new UsageError(`${this.#path}: ${errors.join('; ')}`);
    return [...users.keys()];
  }

  /** @returns whether the user existed before */
  async set(user: string, hash: string): Promise<boolean> {
    const lines = await this.#lines();
    const index = lines.findIndex((line) => isOf(line, user));
    const line = `${user}:${hash}`;
    await this.#write(index < 0 ? [...lines, line] : lines.with(index, line));
    return index >= 0;
  }

  /** @returns whether the user existed */
  async remove(user: string): Promise<boolean> {
    const lines = await this.#lines();
    const left = lines.filter((line) => !isOf(line, user));
    if (left.length === lines.length) return false;
    await this.#write(left);
    return true;
  }

  async #lines(): Promise<string[]> {
    const text = (await this.#text()).replace(/\n$/, '');
    return text === '' ? [] : text.split('\n');
  }

  async #text(): Promise<string> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw new UsageError(`${this.#path} cannot be read: ${(error as Error).message}`);
    }
  }

  /** Writes a new file and renames it, so that an edge reads either the old or the new file. */
  async #write(lines: readonly string[]): Promise<void> {
    // A symbolic link stays; its target is replaced.
    const path = await realpath(this.#path).catch(() => this.#path);
    const present = await stat(path).catch(() => undefined);
    const temporary = `${path}.${randomUUID()}`;
    try {
      await writeFile(temporary, lines.map((line) => `${line}\n`).join(''), { mode: OWNER_ONLY, flag: 'wx' });
      if (present) {
        // The edge may run as another user than this command, so the owner of the file stays.
        if (present.uid !== process.geteuid?.() || present.gid !== process.getegid?.())
          await chown(temporary, present.uid, present.gid);
        await chmod(temporary, present.mode & 0o777);
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw new UsageError(`${this.#path} cannot be written: ${(error as Error).message}`);
    }
  }
}

function isOf(line: string, user: string): boolean {
  return line.trim().startsWith(`${user}:`);
}
