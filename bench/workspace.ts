import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';
const PREFIX = 'bw-bench-';

/**
 * Makes one folder for all files, so that nothing stays after an interrupt. The folder is in memory if there is room, so that no disk is
 * measured. Folders of killed benchmarks are removed. @param mib size of the blob
 */
export function makeWorkspace(mib: number): void {
  const places = [SHARED_MEMORY, tmpdir()].filter(existsSync);
  for (const place of places) removeOrphans(place);
  const place = hasRoom(SHARED_MEMORY, mib) ? SHARED_MEMORY : tmpdir();
  const folder = mkdtempSync(join(place, `${PREFIX}${process.pid}-`));
  process.env.TMPDIR = folder;
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
}

/** Room for two registries with the blob, the blob of a static registry, a download of it, and a margin. */
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
    // EPERM means that the process of another user is alive.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
