import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
let launcher: Promise<string> | undefined;

/**
 * Launcher of the edge as published. The package is compiled, because type stripping at the start costs memory. It is built once a run,
 * in the workspace.
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
