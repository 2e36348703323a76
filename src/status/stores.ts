/** What the edge keeps in memory at the moment. */
export interface Stores {
  /** Tags that the ledger knows, and how many it had to forget since the start because there were too many. */
  ledger: { tags: number; evicted: number };
  /** Manifests in memory, and their bytes. */
  manifests: { kept: number; bytes: number };
  /** Bytes of buffers that bodies are read into: in use, and kept for reuse. */
  buffers: { inUse: number; kept: number };
  /** Digests being computed. */
  hashing: number;
}
