import { entriesAt, entryAt, type Located, type LocatedMap, mapAt } from '../document.ts';
import { isPublic, registryOfFolder, registryOfImage } from '../registry-name.ts';
import type { LintContext, ParsedFile } from '../rule.ts';

/** Names of the table that has the settings of registries: in version 1, in version 2, and since version 3 of the file. */
export const CRI_NAMES = { short: 'cri', uri: 'io.containerd.grpc.v1.cri', images: 'io.containerd.cri.v1.images' };

export interface CriTable {
  name: string;
  line: number;
  table: LocatedMap;
}

/** The tables of a config.toml that have settings of registries. */
export function criTables(file: ParsedFile): CriTable[] {
  return Object.values(CRI_NAMES).flatMap((name) => {
    const entry = entryAt(file.documents[0], 'plugins', name);
    return entry?.value.kind === 'map' ? [{ name, line: entry.line, table: entry.value }] : [];
  });
}

/** `version` of the file; 1 if it has none. */
export function fileVersion(file: ParsedFile): number {
  const value = entryAt(file.documents[0], 'version')?.value;
  return value?.kind === 'scalar' && typeof value.value === 'number' ? value.value : 1;
}

/** The first key of `registry` in each table, if there are any. */
export function registryKey(file: ParsedFile, key: string): { line: number; value: Located }[] {
  return criTables(file).flatMap(({ table }) => entryAt(table, 'registry', key) ?? []);
}

/** Whether a registry has settings in the tree: a folder in certs.d, or a mirror in this file. */
export function hasMirror(registry: string, file: ParsedFile, { files }: LintContext): boolean {
  const folders = files.filter(({ kind }) => kind === 'containerd-hosts').map(({ path }) => registryOfFolder(path));
  const mirrors = registryKey(file, 'mirrors').flatMap(({ value }) => entriesAt(value).map(([name]) => name));
  return [...folders, ...mirrors].some((name) => name === registry || name === '_default' || name === '*');
}

/** An image that is pulled from the internet for each Pod. */
export function publicRegistryOf(image: string): string | undefined {
  const registry = registryOfImage(image);
  return isPublic(registry) ? registry : undefined;
}

/** `configs.*.tls` entries. */
export function tlsOfConfigs(file: ParsedFile): { line: number; name: string }[] {
  return registryKey(file, 'configs').flatMap(({ value }) =>
    entriesAt(value).flatMap(([name, entry]) => {
      const tls = mapAt(entry.value, 'tls');
      return tls ? [{ line: entryAt(entry.value, 'tls')?.line ?? entry.line, name }] : [];
    }),
  );
}
