/**
 * A notice that a push upstream may have changed. Hints may repeat, come late, out of order, or never, so replication always reads the
 * source before acting.
 */
export interface Hint {
  /** The repository's name on the push upstream. */
  repository: string;
  /** Tag or digest. The digest of a deletion may be that of a blob, because distribution does not tell the type. */
  reference: string;
  /**
   * `served`: a client pulled the tag from the push upstream, which may have fetched it itself, as proxy caches do. `lacked`: a pull failed,
   * because a fallback does not have the image and the push upstream did not answer.
   */
  kind: 'push' | 'delete' | 'served' | 'lacked';
  /** Only with `lacked`: which fallback, and for which client. */
  lacked?: { upstream: string; client: string };
  /** The manifest of a deleted tag was deleted too, with all its tags. The sender names only this one. */
  withManifest?: true;
  from: 'edge' | 'harbor' | 'distribution';
  /** The push upstream. Hooks do not name it; the receiver finds out. */
  upstream?: string;
}
