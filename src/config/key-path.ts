/** Where a key stands: names of objects, indexes of lists. */
export type KeyPath = readonly (string | number)[];

/** `['routes', 0, 'pull']` as `routes[0].pull`. */
export function keyText(path: KeyPath): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** A finding that does not know its file yet. */
export interface KeyFinding {
  path: KeyPath;
  message: string;
  remedy?: string;
  /** The finding is about the key itself rather than its value. */
  atKey?: boolean;
}
