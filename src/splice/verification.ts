import type { Chunk } from '../upstream/chunk.ts';

/** Computes the digest of a body beside its transfer. */
export interface Verification {
  /** Takes the next bytes of the body; they lie in the chunk, of which it takes a use of its own. */
  update(chunk: Chunk, bytes: Buffer): void;
  /** Bytes that wait to be hashed. */
  readonly backlog: number;
  /** Calls once, when the backlog has become small. */
  onRoom(callback: () => void): void;
  /**
   * After the last byte. `unknown`: it could not be computed, so that the client's own check has to do.
   * @param contributors upstreams that brought bytes of it
   */
  verdict(contributors: readonly string[]): Promise<'right' | 'wrong' | 'unknown'>;
  /** The transfer broke off. */
  drop(): void;
}
