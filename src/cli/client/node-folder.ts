import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, chown, copyFile, mkdir, readFile, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { GeneratedFile } from '../../clients/generate/generated.ts';
import { PartError } from '../../clients/part/edit.ts';
import { losesComments, withPart } from '../../clients/part/shared-file.ts';
import { UsageError } from '../config-path.ts';
import { isOwnFile } from '../own-file.ts';

/** A copy of what a shared file, or a file that was replaced with --force, held before. Older copies have a number behind it. */
export const BACKUP = '.before-breakwater';

export interface WrittenFile {
  /** Where it was written. */
  path: string;
  done: 'written' | 'merged' | 'unchanged';
  backup?: string;
}

interface Planned {
  path: string;
  mode: number;
  text: string;
  present: string | undefined;
  done: WrittenFile['done'];
  /** A command of Breakwater wrote all of the present file. */
  own: boolean;
  /** Something that stands in the present file does not stand in the new one. */
  loses: boolean;
}

/**
 * Writes files of a node below a folder, which may be `/`. All of them are looked at before the first one is written.
 * @throws UsageError if one holds what somebody else wrote, or cannot take its part
 */
export async function writeNodeFiles(
  files: readonly GeneratedFile[],
  folder: string,
  force: boolean,
): Promise<WrittenFile[]> {
  const planned = await Promise.all(files.map((file) => plan(file, folder)));
  const foreign = planned.filter(({ present, done, own }) => done === 'written' && present !== undefined && !own);
  if (foreign.length > 0 && !force)
    throw new UsageError(
      `nothing was written: ${foreign.map(({ path }) => path).join(', ')} ${foreign.length === 1 ? 'holds' : 'hold'} what this command did not write. Look at it; --force replaces it and keeps a copy as *${BACKUP}.`,
    );
  const written: WrittenFile[] = [];
  for (const one of planned) written.push(await write(one));
  return written;
}

/** Writes the install script, for its owner only, since it may hold credentials; `-` is standard output. */
export async function writeScript(text: string, file: string, force: boolean): Promise<void> {
  if (file === '-') return void process.stdout.write(text);
  const present = await presentText(file);
  const isOld = isOwnFile(present?.split('\n', 2)[1] ?? '');
  if (present !== undefined && present !== text && !isOld && !force)
    throw new UsageError(`nothing was written: ${file} exists. Look at it; --force replaces it.`);
  await write({ path: file, mode: 0o700, text, present: undefined, done: 'written', own: true, loses: false });
}

async function plan({ path, secret, ownLine, content }: GeneratedFile, folder: string): Promise<Planned> {
  const target = join(folder, path);
  // A symbolic link stays; its target is replaced.
  const real = await realpath(target).catch(() => target);
  const present = await presentText(real);
  const mode = secret ? 0o600 : 0o644;
  if (typeof content === 'string') {
    const done = present === content ? 'unchanged' : 'written';
    const own = present !== undefined && (isOwnFile(present) || hasOnly(present, ownLine));
    return { path: real, mode, text: content, present, done, own, loses: true };
  }
  try {
    const text = withPart(content, present);
    const done = present === undefined ? 'written' : present === text ? 'unchanged' : 'merged';
    return { path: real, mode, text, present, done, own: false, loses: losesComments(content, present ?? '') };
  } catch (error) {
    if (error instanceof PartError) throw new UsageError(`nothing was written: ${real}: ${error.message}`);
    throw error;
  }
}

/** Text of a file; undefined if there is none. @throws UsageError if it cannot be read */
async function presentText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new UsageError(`${path} cannot be read: ${message}`);
  }
}

/** Whether a file is one line that has this form. */
function hasOnly(text: string, line: string | undefined): boolean {
  return line !== undefined && new RegExp(line).test(text.replace(/\n$/, ''));
}

/** Writes a new file and renames it, so that a program reads either the old or the new file. */
async function write({ path, mode, text, present, done, own, loses }: Planned): Promise<WrittenFile> {
  if (done === 'unchanged') return { path, done };
  const temporary = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const backup = present !== undefined && !own ? await keep(path, loses) : undefined;
    await writeFile(temporary, text, { mode, flag: 'wx' });
    const old = present === undefined ? undefined : await stat(path);
    if (old && done === 'merged') {
      if (old.uid !== process.geteuid?.() || old.gid !== process.getegid?.()) await chown(temporary, old.uid, old.gid);
      await chmod(temporary, old.mode & (mode === 0o600 ? 0o600 : 0o777));
    }
    await rename(temporary, path);
    return { path, done, ...(backup === undefined ? {} : { backup }) };
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw new UsageError(`${path} cannot be written: ${(error as Error).message}`);
  }
}

/**
 * A backup stays if what is replaced now is all in the new file: it holds what was there before this command came. Otherwise the backup
 * gets a number, and what is replaced becomes the backup.
 */
async function keep(path: string, loses: boolean): Promise<string> {
  const backup = `${path}${BACKUP}`;
  if (await copied(path, backup)) return backup;
  if (!loses || (await readFile(path)).equals(await readFile(backup))) return backup;
  let number = 1;
  while (!(await copied(backup, `${backup}.${number}`))) number += 1;
  const temporary = `${backup}.${randomUUID()}`;
  await copyFile(path, temporary);
  await rename(temporary, backup);
  return backup;
}

/** Whether a file was copied. It is not if the copy exists. */
async function copied(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
