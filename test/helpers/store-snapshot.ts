import type { LabRegistry } from '../../src/lab/registry.ts';
import type { StoredRepository } from '../../src/lab/store.ts';

/** Takes a snapshot of the storage of a registry of the lab. @returns restores it, while the registry runs */
export function takeSnapshot({ store }: LabRegistry): () => void {
  const blobs = [...store.blobs];
  const repositories = [...store.repositories].map(([name, one]) => [name, copyOf(one)] as const);
  return () => {
    replace(store.blobs, blobs);
    replace(
      store.repositories,
      repositories.map(([name, one]) => [name, copyOf(one)] as const),
    );
  };
}

/** The database of a registry that keeps one beside its storage: which tags there are. @returns restores it */
export function takeTags({ store }: LabRegistry): () => void {
  const tags = [...store.repositories].map(([name, one]) => [name, [...one.tags]] as const);
  return () => {
    for (const [name, some] of tags) replace(store.repository(name).tags, some);
  };
}

function replace<Key, Value>(map: Map<Key, Value>, entries: readonly (readonly [Key, Value])[]): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}

function copyOf({ blobs, manifests, tags, pushedAt }: StoredRepository): StoredRepository {
  return { blobs: new Set(blobs), manifests: new Map(manifests), tags: new Map(tags), pushedAt: new Map(pushedAt) };
}
