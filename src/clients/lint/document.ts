/** A value of a file, with the line on which it stands. TOML, JSON and YAML become the same. */
export type Located = LocatedMap | LocatedList | LocatedScalar;

export interface LocatedMap {
  kind: 'map';
  line: number;
  /** How TOML wrote it: `[a.b]` is a header. In other formats always `inline`. */
  written: 'header' | 'inline';
  entries: Map<string, Entry>;
}

export interface Entry {
  /** Where the key stands. */
  line: number;
  value: Located;
}

export interface LocatedList {
  kind: 'list';
  line: number;
  items: Located[];
}

export interface LocatedScalar {
  kind: 'scalar';
  line: number;
  value: string | number | boolean | undefined;
}

/** The entry at a path of keys; undefined if it is not there. */
export function entryAt(node: Located | undefined, ...keys: string[]): Entry | undefined {
  let entry: Entry | undefined;
  let at = node;
  for (const key of keys) {
    entry = at?.kind === 'map' ? at.entries.get(key) : undefined;
    at = entry?.value;
  }
  return entry;
}

export function mapAt(node: Located | undefined, ...keys: string[]): LocatedMap | undefined {
  const value = keys.length === 0 ? node : entryAt(node, ...keys)?.value;
  return value?.kind === 'map' ? value : undefined;
}

/** The items of a list; none if there is no list. */
export function itemsAt(node: Located | undefined, ...keys: string[]): Located[] {
  const value = keys.length === 0 ? node : entryAt(node, ...keys)?.value;
  return value?.kind === 'list' ? value.items : [];
}

/** A string; undefined for anything else. */
export function textOf(node: Located | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

export function textAt(node: Located | undefined, ...keys: string[]): string | undefined {
  return textOf(entryAt(node, ...keys)?.value);
}

export function isTrue(node: Located | undefined): boolean {
  return node?.kind === 'scalar' && node.value === true;
}

/** Strings of a list with their lines. A single string counts as a list of one. */
export function textsAt(node: Located | undefined, ...keys: string[]): { text: string; line: number }[] {
  const value = keys.length === 0 ? node : entryAt(node, ...keys)?.value;
  const items = value?.kind === 'list' ? value.items : value ? [value] : [];
  return items.flatMap((item) => {
    const text = textOf(item);
    return text === undefined ? [] : [{ text, line: item.line }];
  });
}

/** All entries of a map; none if there is no map. */
export function entriesAt(node: Located | undefined, ...keys: string[]): [string, Entry][] {
  return [...(mapAt(node, ...keys)?.entries ?? [])];
}
