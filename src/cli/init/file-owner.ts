import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { UsageError } from '../config-path.ts';

/** The user that files belong to, by number. */
export interface FileOwner {
  uid: number;
  gid: number;
}

/**
 * The user that the service runs as, by name or number (`breakwater`, `1000`, `1000:1000`).
 * @returns undefined: the user of this command
 * @throws UsageError for an unknown user, or if this command may not give files away
 */
export async function fileOwner(text: string | undefined): Promise<FileOwner | undefined> {
  if (text === undefined) return undefined;
  const [user = '', group, ...rest] = text.split(':');
  if (user === '' || group === '' || rest.length > 0)
    throw new UsageError(`--owner: expected USER or UID:GID; found ${text}`);
  const uid = numberIn(user) ?? (await askId('-u', user));
  const gid = group === undefined ? await groupOf(user, uid) : numberIn(group);
  if (gid === undefined)
    throw new UsageError(`--owner: expected the number of a group after the colon; found ${group}`);
  const [ownUid, ownGid] = [process.geteuid?.(), process.getegid?.()];
  if (ownUid !== 0 && (uid !== ownUid || gid !== ownGid))
    throw new UsageError(`--owner: only root can give files to ${text}; run this command as root, or as that user`);
  return { uid, gid };
}

function numberIn(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** A number that no user has, such as that of a container's user, has a group of the same number. */
async function groupOf(user: string, uid: number): Promise<number> {
  if (numberIn(user) === undefined) return askId('-g', user);
  return askId('-g', user).catch(() => uid);
}

async function askId(option: '-u' | '-g', user: string): Promise<number> {
  try {
    const { stdout } = await promisify(execFile)('id', [option, '--', user], { timeout: 10_000 });
    const id = numberIn(stdout.trim());
    if (id !== undefined) return id;
  } catch {
    // No such user; or there is no `id`, as on a minimal image.
  }
  throw new UsageError(`--owner: there is no user ${user}; create it, or give its numbers as UID:GID`);
}
