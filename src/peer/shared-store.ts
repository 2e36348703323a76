/** Something of which nodes tell each other what changed. */
export interface SharedStore {
  /** What it is called between nodes. */
  readonly name: string;
  /** Version of the last change here; 0: none. */
  readonly head: number;
  /**
   * What changed after a version, as another node's `merge` takes it.
   * @param max entries
   * @returns next: the version to go on from; `head` once all is told
   */
  since(version: number, max: number): { entries: unknown[]; next: number };
  /**
   * Takes in what another node told, in any order and as often as it likes.
   * @returns how many told something new; undefined: not to be understood, and nothing was taken
   */
  merge(entries: readonly unknown[]): number | undefined;
}
