import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';
const PREFIX = 'bw-bench-';

/**
 * Everything goes below one folder, so that nothing stays even where work was cut short between two steps. It is in memory
 * where there is room, so that no disk is measured. What a benchmark left that was killed goes too.
 * @param mib size of the blob
 */
export function makeWorkspace(mib: number): void {
  const places = [SHARED_MEMORY, tmpdir()].filter(existsSync);
  for (const place of places) removeOrphans(place);
  const place = hasRoom(SHARED_MEMORY, mib) ? SHARED_MEMORY : tmpdir();
  const folder = mkdtempSync(join(place, `${PREFIX}${process.pid}-`));
  process.env.TMPDIR = folder;
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
}

/** For two registries with the blob, the blob of a static one, a download of it, and some more. */
function hasRoom(folder: string, mib: number): boolean {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return Math.min(bavail * bsize, freemem()) > 6 * mib * 1_048_576 + 1e9;
}

function removeOrphans(place: string): void {
  for (const name of readdirSync(place)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(place, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's is alive too.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
