/** Algorithms that a digest may name and the edge can compute. */
export type HashAlgorithm = 'sha256' | 'sha384' | 'sha512';

/** What the main thread asks of the worker in one message. In a batch, a job begins before it is given bytes, and ends after that. */
export interface HashBatch {
  /** Jobs by number, and the algorithm of each. */
  begun: [job: number, algorithm: HashAlgorithm][];
  /** Pieces of bodies in order; `jobs[i]` is whose `pieces[i]` is. */
  jobs: number[];
  pieces: Uint8Array[];
  /** Jobs whose digest is asked for. */
  finished: number[];
  /** Jobs that nobody is interested in any more. */
  dropped: number[];
}

/** The answer to a batch, when all of it was read: the digests asked for, in hex. Batches are answered in the order they came in. */
export type HashReply = [job: number, hex: string][];
