import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Programs that bin/real-parts builds and keeps in a cache of its own. It has the same versions. */
const BUILT = {
  ...{ crane: 'v0.20.7', oras: 'v1.3.6', regctl: 'v0.11.7', crictl: 'v1.34.0', helm: 'v4.3.1' },
  ...{ validator: 'v1', actionlint: 'v1.7.12', kubelet: 'v1.37.1' },
};

// Daemons live in sbin, which is not on everybody's PATH.
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'breakwater');
const folders = [
  ...(process.env.PATH ?? '').split(':').filter(Boolean),
  ...['/usr/local/sbin', '/usr/sbin', '/sbin'],
  ...Object.entries(BUILT).map(([name, version]) => join(cache, `${name}-${version}`)),
];
/** What bin/real-parts builds although the machine may have another version of it. */
export const BUILT_APART = { containerd: 'v2.4.2', buildkitd: 'v0.34.2', decoders: 'v1' };

const needRoot = new Set(['podman', 'containerd', 'dockerd', 'kubelet']);

/** Full path of a real program, or undefined where it is missing. */
export function findTool(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Full path of a program that was built beside the one that is installed, or undefined. */
export function findBuiltTool(name: keyof typeof BUILT_APART): string | undefined {
  const path = join(cache, `${name}-${BUILT_APART[name]}`, name);
  return isExecutable(path) ? path : undefined;
}

/** Full path of a program that must be there. */
export function tool(name: string): string {
  const path = findTool(name);
  if (!path) throw new Error(`${name} is missing; bin/real-parts installs it`);
  return path;
}

/** For tap's `skip`: false if all of these can be used here, else why not. */
export function missing(...names: string[]): string | false {
  const absent = names.filter((name) => !findTool(name));
  if (absent.length > 0) return `not installed: ${absent.join(', ')}`;
  const asRoot = names.filter((name) => needRoot.has(name) && process.getuid?.() !== 0);
  return asRoot.length > 0 && `only root can run: ${asRoot.join(', ')}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
