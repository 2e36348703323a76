/** Where a key stands: names of objects, indexes of lists. */
export type KeyPath = readonly (string | number)[];

/** `['routes', 0, 'pull']` as `routes[0].pull`; a name that could be mistaken is quoted, so that it is safe on a terminal. */
export function keyText(path: KeyPath): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[\w$-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
}

/** A finding that does not know its file yet. */
export interface KeyFinding {
  path: KeyPath;
  message: string;
  remedy?: string;
  /** The finding is about the key itself rather than its value. */
  atKey?: boolean;
}
