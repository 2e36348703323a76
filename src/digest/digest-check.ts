import type { Chunk } from '../upstream/body/body-source.ts';
import type { Blame, CopyIntegrity, VerificationClaim } from './copy-integrity.ts';
import type { HashAlgorithm } from './hash-batch.ts';
import { type HashJob, HashUnavailable } from './hash-job.ts';
import type { Hasher } from './hasher.ts';

/** `unknown`: no evidence of wrong bytes, so that the client's own check decides. */
export type DigestVerdict = 'right' | 'wrong' | 'unknown';

/** Decides at the end of a transfer whether the body may be completed. */
export interface DigestCheck {
  /**
   * Takes the next bytes of the body, which lie in `chunk`; retains the chunk for as long as it is read.
   * @returns false when no more bytes may come until `onDrain`
   */
  update(chunk: Chunk, bytes: Buffer): boolean;
  /** Bytes that wait to be hashed. */
  readonly backlog: number;
  /** Calls back once, later, when the backlog is small. */
  onDrain(callback: () => void): void;
  /**
   * To be called after the last byte arrived and before it is sent.
   * @param contributors the upstreams whose bytes are part of the body
   */
  verdict(contributors: readonly string[]): Promise<DigestVerdict>;
  /**
   * The transfer broke off. After a call of `verdict` the digest is computed all the same, because all bytes arrived.
   */
  abandon(): void;
}

/** The result of a check, for logs and metrics. */
export interface DigestFinding {
  digest: string;
  contributors: readonly string[];
  verdict: DigestVerdict;
  /**
   * The copies cleared or accused. Empty when a transfer that was not hashed ends as wrong, because one of its copies
   * is known to be corrupt.
   */
  blame: Blame;
  /** Why the digest could not be computed. */
  error?: HashUnavailable;
}

export interface DigestCheckOptions {
  hasher: Hasher;
  copies: CopyIntegrity;
  onFinding?: (finding: DigestFinding) => void;
}

const NO_BLAME: Blame = { verified: [], corrupt: [], unverified: [] };
const DIGEST_PATTERN = /^(?<algorithm>sha256|sha384|sha512):(?<hex>[0-9a-f]+)$/;

/**
 * Checks a whole body that begins at this upstream. The body is hashed if its copy is due and the digest's algorithm is
 * supported.
 */
export function checkWholeBlob(upstream: string, digest: string, options: DigestCheckOptions): DigestCheck {
  const { algorithm, hex } = DIGEST_PATTERN.exec(digest)?.groups ?? {};
  const claim = algorithm && hex ? options.copies.claim(upstream, digest) : undefined;
  if (!claim || !hex) return checkPartialBlob(digest, options);
  const job = options.hasher.begin(algorithm as HashAlgorithm);
  return new HashCheck({ ...options, job, claim, digest, hex });
}

/** Checks a part of a blob, which has no digest. Only a copy known to be corrupt makes the verdict `wrong`. */
export function checkPartialBlob(digest: string, { copies, onFinding }: DigestCheckOptions): DigestCheck {
  return {
    update: () => true,
    backlog: 0,
    onDrain: (callback) => queueMicrotask(callback),
    verdict: async (contributors) => {
      const verdict = verdictWithoutHash(copies, digest, contributors);
      if (verdict === 'wrong') onFinding?.({ digest, contributors, verdict, blame: NO_BLAME });
      return verdict;
    },
    abandon: () => undefined,
  };
}

function verdictWithoutHash(copies: CopyIntegrity, digest: string, contributors: readonly string[]): DigestVerdict {
  return contributors.some((upstream) => copies.isCorrupt(upstream, digest)) ? 'wrong' : 'unknown';
}

interface HashCheckOptions extends DigestCheckOptions {
  job: HashJob;
  claim: VerificationClaim;
  digest: string;
  hex: string;
}

class HashCheck implements DigestCheck {
  readonly #options: HashCheckOptions;
  #allReceived = false;

  constructor(options: HashCheckOptions) {
    this.#options = options;
  }

  get backlog(): number {
    return this.#options.job.backlog;
  }

  update(chunk: Chunk, bytes: Buffer): boolean {
    return this.#options.job.update(chunk, bytes);
  }

  onDrain(callback: () => void): void {
    this.#options.job.onDrain(callback);
  }

  async verdict(contributors: readonly string[]): Promise<DigestVerdict> {
    const { claim, copies, digest, hex, job, onFinding } = this.#options;
    this.#allReceived = true;
    const found = await digestOrError(job);
    if (found instanceof HashUnavailable) {
      claim.drop();
      const verdict = verdictWithoutHash(copies, digest, contributors);
      onFinding?.({ digest, contributors, verdict, blame: NO_BLAME, error: found });
      return verdict;
    }
    const verdict = found === hex ? 'right' : 'wrong';
    onFinding?.({ digest, contributors, verdict, blame: claim[verdict](contributors) });
    return verdict;
  }

  abandon(): void {
    if (this.#allReceived) return;
    this.#options.job.abandon();
    this.#options.claim.drop();
  }
}

async function digestOrError(job: HashJob): Promise<string | HashUnavailable> {
  try {
    return await job.digest();
  } catch (error) {
    if (error instanceof HashUnavailable) return error;
    throw error;
  }
}
