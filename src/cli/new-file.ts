import { randomUUID } from 'node:crypto';
import { chmod, chown, link, lstat, mkdir, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { UsageError } from './config-path.ts';

const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** A file that a command writes. */
export interface NewFile {
  path: string;
  content: string;
  /** Permissions, such as 0o600 for a secret. */
  mode: number;
}

/**
 * Writes files whole or not at all: each one beside its place first, then renamed. Folders that are missing are made. Root gives a
 * file to the owner of the file that it replaces, else to the owner of the folder, so that the service can read it.
 * @param force files that exist are replaced; without it none is written if one of them exists
 * @throws UsageError
 */
export async function writeNewFiles(
  files: readonly NewFile[],
  { force = false, folderMode = 0o700 } = {},
): Promise<void> {
  if (!force) for (const { path } of files) await refusePresent(path);
  const prepared: { from: string; to: string }[] = [];
  const made: string[] = [];
  try {
    for (const file of files) prepared.push(await prepare(file, folderMode));
    for (const { from, to } of prepared) {
      await put(from, to, force);
      if (!force) made.push(to);
    }
  } catch (error) {
    for (const to of made) await unlink(to).catch(() => undefined);
    throw error;
  } finally {
    for (const { from } of prepared) await unlink(from).catch(() => undefined);
  }
}

async function refusePresent(path: string): Promise<void> {
  if (await lstat(path).catch(() => undefined)) throw alreadyThere(path);
}

function alreadyThere(path: string): UsageError {
  return new UsageError(
    `${path} exists already, so nothing was written. Choose another place, or replace it with --force`,
  );
}

async function prepare({ path, content, mode }: NewFile, folderMode: number): Promise<{ from: string; to: string }> {
  // A symbolic link stays; its target is replaced.
  const to = await realpath(path).catch(() => resolve(path));
  const from = resolve(dirname(to), `.${basename(to)}.${randomUUID()}`);
  try {
    await mkdir(dirname(to), { recursive: true, mode: folderMode });
    await writeFile(from, content, { mode, flag: 'wx', flush: true });
    const present = await stat(to).catch(() => undefined);
    // The mode of a new file is cut by the umask. A secret may stay readable for the group that it was given to.
    await chmod(from, present && (mode & 0o007) === 0 ? present.mode & 0o770 : mode);
    const { uid, gid } = present ?? (await stat(dirname(to)));
    if (process.geteuid?.() === 0 && (uid !== 0 || gid !== 0)) await chown(from, uid, gid);
    return { from, to };
  } catch (error) {
    await unlink(from).catch(() => undefined);
    throw new UsageError(`${path} cannot be written: ${(error as Error).message}`);
  }
}

async function put(from: string, to: string, force: boolean): Promise<void> {
  try {
    // A hard link never replaces what another program has made meanwhile.
    await (force ? rename(from, to) : link(from, to));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'EEXIST') throw alreadyThere(to);
    // Some file systems have no hard links.
    if (!force && NO_LINKS.includes(code)) return await put(from, to, true);
    throw new UsageError(`${to} cannot be written: ${(error as Error).message}`);
  }
}
