/** A store that tells of each entry that changes: grants or ledger. */
interface Store<Entry> {
  onChange: ((entry: Entry, before: never) => void) | undefined;
}

/**
 * Listens to a store from now on.
 * @param keyOf identity of an entry
 * @param current the entry as it is now; undefined: it was dropped
 * @returns the entries that changed and are still there, the oldest change first
 */
export function changedEntries<Entry>(
  store: Store<Entry>,
  keyOf: (entry: Entry) => string,
  current: (entry: Entry) => Entry | undefined,
): () => Entry[] {
  const changed = new Map<string, Entry>();
  store.onChange = (entry) => {
    changed.delete(keyOf(entry));
    changed.set(keyOf(entry), entry);
  };
  return () => [...changed.values()].flatMap((entry) => current(entry) ?? []);
}
