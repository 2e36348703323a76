import { entriesAt, entryAt, type LocatedMap, mapAt, textAt } from '../document.ts';
import { registryOfFolder } from '../registry-name.ts';
import type { ParsedFile } from '../rule.ts';

/** One `[host."URL"]` of a hosts.toml. */
export interface HostTable {
  url: string;
  line: number;
  table: LocatedMap;
  /** It has a header of its own; containerd 2 reads no others. */
  hasHeader: boolean;
}

export interface HostsFile {
  /** The registry whose images it is for; `_default` for all that have no folder. */
  registry: string;
  root: LocatedMap | undefined;
  server: string | undefined;
  serverLine: number;
  hosts: HostTable[];
}

export function hostsFile(file: ParsedFile): HostsFile {
  const root = mapAt(file.documents[0]);
  const hosts = entriesAt(root, 'host').flatMap(([url, { line, value }]) => {
    if (value.kind !== 'map') return [];
    const below = [...value.entries.values()].some(
      (entry) => entry.value.kind === 'map' && entry.value.written === 'header',
    );
    return [{ url, line, table: value, hasHeader: value.written === 'header' || below }];
  });
  return {
    registry: registryOfFolder(file.path),
    root,
    server: textAt(root, 'server'),
    serverLine: entryAt(root, 'server')?.line ?? 1,
    hosts,
  };
}

/** Keys that containerd reads in a host, and at the top for the server. `rewrite` is read by the containerd of k3s. */
export const HOST_KEYS = new Set([
  'capabilities',
  'ca',
  'client',
  'skip_verify',
  'header',
  'override_path',
  'dial_timeout',
  'rewrite',
]);

/** Go's `time.ParseDuration`. */
export function isDuration(text: string): boolean {
  if (text.length > 40) return false;
  return /^[+-]?(0|(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))*)$/.test(text);
}
