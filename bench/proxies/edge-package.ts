import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
let launcher: Promise<string> | undefined;

/**
 * The launcher of the edge as it is published: compiled, since reading TypeScript at its start costs memory that no package and no image
 * needs. Made once a run, below the workspace that is removed with it.
 */
export function edgeLauncher(): Promise<string> {
  launcher ??= makePackage();
  return launcher;
}

async function makePackage(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edge-'));
  await mkdir(join(folder, 'bin'));
  for (const file of ['package.json', 'bin/breakwater']) await copyFile(join(root, file), join(folder, file));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await promisify(execFile)(join(root, 'bin/compile'), [join(folder, 'dist')]);
  return join(folder, 'bin/breakwater');
}
