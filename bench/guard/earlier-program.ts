import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../../test/helpers/command.ts';

const ROOT = join(import.meta.dirname, '../..');

/**
 * Unpacks the program of an earlier commit below `.tap/`, where git ignores it. It uses the packages of this checkout.
 * @returns its launcher
 * @throws Error if this clone lacks the commit, as a shallow one does
 */
export async function earlierProgram(commit: string): Promise<string> {
  const folder = join(ROOT, '.tap', `program-${commit}`);
  mkdirSync(folder, { recursive: true });
  await command('sh', ['-c', 'git -C "$0" archive "$1" src bin package.json | tar -x -C "$2"', ROOT, commit, folder]);
  const packages = join(folder, 'node_modules');
  if (!existsSync(packages)) symlinkSync(join(ROOT, 'node_modules'), packages);
  return join(folder, 'bin/breakwater');
}
