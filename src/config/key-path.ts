/** Path of a key: names of maps and indexes of lists. */
export type KeyPath = readonly (string | number)[];

/** Writes `['routes', 0, 'pull']` as `routes[0].pull`. Unusual names are quoted, so that the text is safe on a terminal. */
export function keyText(path: KeyPath): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[\w$-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
}

/** A finding without its file position. */
export interface KeyFinding {
  path: KeyPath;
  message: string;
  remedy?: string;
  /** The finding is about the key itself rather than its value. */
  atKey?: boolean;
}
