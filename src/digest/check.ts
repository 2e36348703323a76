import type { Chunk } from '../upstream/body/body-source.ts';
import type { Blame, Claim, Copies } from './copies.ts';
import type { HashAlgorithm } from './hash-batch.ts';
import { type HashJob, HashUnavailable } from './hash-job.ts';
import type { Hasher } from './hasher.ts';

/** `unknown`: nothing speaks against it, and the client's own check has to do. */
export type Verdict = 'right' | 'wrong' | 'unknown';

/** Says at the end of a transfer whether it may be complete. */
export interface Check {
  /** Takes the next bytes of the body; they lie in the chunk, of which it takes a use of its own. @returns false: no more until `onRoom` */
  update(chunk: Chunk, bytes: Buffer): boolean;
  /** Bytes that wait to be hashed. */
  readonly backlog: number;
  /** Calls once, later, when the backlog has become small. */
  onRoom(callback: () => void): void;
  /**
   * After the last byte, and before it is sent.
   * @param contributors upstreams that brought bytes of it
   */
  verdict(contributors: readonly string[]): Promise<Verdict>;
  /** The transfer broke off. Once the verdict was asked for it is found out all the same, since all bytes came. */
  drop(): void;
}

/** What came of a check, for logs and metrics. */
export interface Finding {
  digest: string;
  contributors: readonly string[];
  verdict: Verdict;
  /** What it changed. Empty where a transfer that was not hashed ended as wrong, because a copy had been found rotten. */
  blame: Blame;
  /** Why the digest could not be computed. */
  error?: HashUnavailable;
}

export interface CheckOptions {
  hasher: Hasher;
  copies: Copies;
  onFinding?: (finding: Finding) => void;
}

const NOTHING: Blame = { verified: [], rotten: [], doubted: [] };
const DIGEST = /^(?<algorithm>sha256|sha384|sha512):(?<hex>[0-9a-f]+)$/;

/** For a whole body that begins at this upstream. It is hashed if it is due; a digest of another algorithm cannot be. */
export function checkWhole(upstream: string, digest: string, options: CheckOptions): Check {
  const { algorithm, hex } = DIGEST.exec(digest)?.groups ?? {};
  const claim = algorithm && hex ? options.copies.claim(upstream, digest) : undefined;
  if (!claim || !hex) return checkPart(digest, options);
  const job = options.hasher.begin(algorithm as HashAlgorithm);
  return new HashCheck({ ...options, job, claim, digest, hex });
}

/** For a part of a body, which has no digest: only a copy that is known to be rotten speaks against it. */
export function checkPart(digest: string, { copies, onFinding }: CheckOptions): Check {
  return {
    update: () => true,
    backlog: 0,
    onRoom: (callback) => queueMicrotask(callback),
    verdict: async (contributors) => {
      const verdict = hearsay(copies, digest, contributors);
      if (verdict === 'wrong') onFinding?.({ digest, contributors, verdict, blame: NOTHING });
      return verdict;
    },
    drop: () => undefined,
  };
}

function hearsay(copies: Copies, digest: string, contributors: readonly string[]): Verdict {
  return contributors.some((upstream) => copies.isRotten(upstream, digest)) ? 'wrong' : 'unknown';
}

interface HashCheckParts extends CheckOptions {
  job: HashJob;
  claim: Claim;
  digest: string;
  hex: string;
}

class HashCheck implements Check {
  readonly #parts: HashCheckParts;
  #whole = false;

  constructor(parts: HashCheckParts) {
    this.#parts = parts;
  }

  get backlog(): number {
    return this.#parts.job.backlog;
  }

  update(chunk: Chunk, bytes: Buffer): boolean {
    return this.#parts.job.update(chunk, bytes);
  }

  onRoom(callback: () => void): void {
    this.#parts.job.onRoom(callback);
  }

  async verdict(contributors: readonly string[]): Promise<Verdict> {
    const { claim, copies, digest, hex, job, onFinding } = this.#parts;
    this.#whole = true;
    const found = await outcomeOf(job);
    if (found instanceof HashUnavailable) {
      claim.drop();
      const verdict = hearsay(copies, digest, contributors);
      onFinding?.({ digest, contributors, verdict, blame: NOTHING, error: found });
      return verdict;
    }
    const verdict = found === hex ? 'right' : 'wrong';
    onFinding?.({ digest, contributors, verdict, blame: claim[verdict](contributors) });
    return verdict;
  }

  drop(): void {
    if (this.#whole) return;
    this.#parts.job.abandon();
    this.#parts.claim.drop();
  }
}

async function outcomeOf(job: HashJob): Promise<string | HashUnavailable> {
  try {
    return await job.digest();
  } catch (error) {
    if (error instanceof HashUnavailable) return error;
    throw error;
  }
}
