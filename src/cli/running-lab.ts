import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a running lab tells the other commands of its user. */
export interface RunningLab {
  pid: number;
  /** URL of its admin listener. */
  admin: string;
}

/**
 * Writes down that the lab of this process runs, readable by its user only.
 * @returns what removes that again; undefined if no folder can be written to
 */
export function announceLab(admin: string): (() => void) | undefined {
  const lab: RunningLab = { pid: process.pid, admin };
  for (const place of places()) {
    const draft = `${place}.${process.pid}`;
    try {
      writeFileSync(draft, JSON.stringify(lab), { mode: 0o600, flag: 'wx' });
      renameSync(draft, place);
    } catch {
      rmSync(draft, { force: true });
      continue;
    }
    return () => {
      // Another lab may have been started since, and is found there now.
      if (readLab(place)?.pid === process.pid) rmSync(place, { force: true });
    };
  }
  return undefined;
}

/** The lab of this user that was started last; undefined if none runs. */
export function findRunningLab(): RunningLab | undefined {
  for (const place of places()) {
    const lab = readLab(place);
    if (lab && isAlive(lab.pid)) return lab;
  }
  return undefined;
}

/** The runtime folder of a user is not the same in every session, so that the temporary folder is looked into as well. */
function places(): string[] {
  const user = process.getuid?.() ?? 'user';
  const { XDG_RUNTIME_DIR: runtime } = process.env;
  return [...(runtime ? [runtime] : []), tmpdir()].map((folder) => join(folder, `breakwater-lab-${user}.json`));
}

/** Undefined for what another user may have written: everybody can write to a temporary folder. */
function readLab(place: string): RunningLab | undefined {
  try {
    const { uid, mode } = lstatSync(place);
    // A link has all its permission bits set.
    if (uid !== (process.getuid?.() ?? uid) || (mode & 0o077) !== 0) return undefined;
    const lab: Partial<RunningLab> = JSON.parse(readFileSync(place, 'utf8'));
    return typeof lab.pid === 'number' && typeof lab.admin === 'string'
      ? { pid: lab.pid, admin: lab.admin }
      : undefined;
  } catch {
    return undefined;
  }
}

/** A lab that was killed leaves its file behind. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
