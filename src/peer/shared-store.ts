/** A store whose changes are shared between edges. */
export interface SharedStore {
  /** The store's name in the protocol. */
  readonly name: string;
  /** Version of the last local change; 0: none. */
  readonly head: number;
  /**
   * The changes after a version, in the form that `merge` of another edge takes.
   * @param max most entries
   * @returns next: the version to continue from; `head` once all is told
   */
  since(version: number, max: number): { entries: unknown[]; next: number };
  /**
   * Merges entries of another edge, in any order and any number of times.
   * @returns how many were new; undefined: malformed, and none was merged
   */
  merge(entries: readonly unknown[]): number | undefined;
}
