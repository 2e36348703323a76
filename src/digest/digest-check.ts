import type { Chunk } from '../upstream/body/body-source.ts';
import { type Blame, type CopyIntegrity, NO_BLAME } from './copy-integrity.ts';
import type { HashAlgorithm } from './hash-batch.ts';
import { HashUnavailable } from './hash-job.ts';
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

const DIGEST_PATTERN = /^(?<algorithm>sha256|sha384|sha512):(?<hex>[0-9a-f]+)$/;

/**
 * Checks a whole body that begins at this upstream. The body is hashed if its copy is due and the digest's algorithm is
 * supported.
 */
export function checkWholeBlob(upstream: string, digest: string, options: DigestCheckOptions): DigestCheck {
  const { hasher, copies, onFinding } = options;
  const { algorithm, hex } = DIGEST_PATTERN.exec(digest)?.groups ?? {};
  const claim = algorithm && hex ? copies.claim(upstream, digest) : undefined;
  if (!claim) return checkPartialBlob(digest, options);
  const job = hasher.begin(algorithm as HashAlgorithm);
  let allReceived = false;
  return {
    update: (chunk, bytes) => job.update(chunk, bytes),
    onDrain: (callback) => job.onDrain(callback),
    verdict: async (contributors) => {
      allReceived = true;
      const found = await job.digest().catch((error: HashUnavailable) => error);
      if (found instanceof HashUnavailable) {
        claim.drop();
        const verdict = verdictWithoutHash(copies, digest, contributors);
        onFinding?.({ digest, contributors, verdict, blame: NO_BLAME, error: found });
        return verdict;
      }
      const verdict = found === hex ? 'right' : 'wrong';
      onFinding?.({ digest, contributors, verdict, blame: claim[verdict](contributors) });
      return verdict;
    },
    abandon: () => {
      if (allReceived) return;
      job.abandon();
      claim.drop();
    },
  };
}

/** Checks a part of a blob, which has no digest. Only a copy known to be corrupt makes the verdict `wrong`. */
export function checkPartialBlob(digest: string, { copies, onFinding }: DigestCheckOptions): DigestCheck {
  return {
    update: () => true,
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
