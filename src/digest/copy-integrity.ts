import { LRUCache } from 'lru-cache';
import { monotonicNow } from '../clock/clock.ts';

/** Which whole transfers are hashed: see `verify` in the configuration. */
export type VerifyPolicy = 'first' | 'always' | 'never';

/** The right to report the digest of one whole transfer. Only the first call counts. */
export interface VerificationClaim {
  /** @param contributors the upstreams whose bytes are part of the body */
  right(contributors: readonly string[]): Blame;
  wrong(contributors: readonly string[]): Blame;
  /** The transfer broke off, or its digest could not be computed. */
  drop(): void;
}

export interface CorruptCopy {
  upstream: string;
  digest: string;
  /** Monotonic milliseconds. */
  since: number;
}

interface CorruptEntry extends CorruptCopy {
  /** Number of claims made before the entry. A claim made earlier cannot clear the entry. */
  claimNumber: number;
}

const VERIFIED_FOR_MS = 86_400_000;
/** A client that takes longer than this over a blob does not keep other transfers from hashing that blob. */
const CLAIM_TIMEOUT_MS = 60_000;
/** Copies remembered, some 200 bytes each. A forgotten copy is hashed once more. */
const MAX_VERIFIED = 50_000;
const MAX_CORRUPT = 10_000;
export const NO_BLAME: Blame = { verified: [], corrupt: [], unverified: [] };

/**
 * Remembers which upstreams' copies of blobs were verified and which are corrupt. A copy is an upstream and a digest,
 * in any repository.
 */
export class CopyIntegrity {
  policy: VerifyPolicy;
  readonly #now: () => number;
  /** Time at which the digest was last right; monotonic milliseconds. */
  readonly #verified = new LRUCache<string, number>({ maxSize: MAX_VERIFIED, sizeCalculation: () => 1 });
  readonly #corrupt = new LRUCache<string, CorruptEntry>({ maxSize: MAX_CORRUPT, sizeCalculation: () => 1 });
  /** The latest claim to each copy, and the time it was made. */
  readonly #claims = new Map<string, { at: number }>();
  #claimCount = 0;

  /** @param now monotonic milliseconds */
  constructor(policy: VerifyPolicy, now: () => number = monotonicNow) {
    this.policy = policy;
    this.#now = now;
  }

  /** Claims the hashing of a whole transfer; undefined when that transfer need not be hashed. */
  claim(upstream: string, digest: string): VerificationClaim | undefined {
    const key = copyKey(upstream, digest);
    if (!this.#isDue(upstream, digest)) return undefined;
    const claim = { at: this.#now() };
    this.#claims.set(key, claim);
    this.#claimCount += 1;
    const claimNumber = this.#claimCount;
    let open = true;
    const settle = (contributors: readonly string[], right: boolean | undefined): Blame => {
      if (!open) return NO_BLAME;
      open = false;
      if (this.#claims.get(key) === claim) this.#claims.delete(key);
      return right === undefined ? NO_BLAME : this.#recordResult(digest, contributors, right, claimNumber);
    };
    return {
      right: (contributors) => settle(contributors, true),
      wrong: (contributors) => settle(contributors, false),
      drop: () => void settle([], undefined),
    };
  }

  /**
   * Whether the copy has wrong bytes, or was part of a body that had. Its bytes may end a response only after they were
   * hashed.
   */
  isCorrupt(upstream: string, digest: string): boolean {
    return this.policy !== 'never' && this.#corrupt.has(copyKey(upstream, digest));
  }

  isVerified(upstream: string, digest: string): boolean {
    const at = this.#verified.get(copyKey(upstream, digest));
    return at !== undefined && this.#now() - at < VERIFIED_FOR_MS;
  }

  /** The corrupt copies, oldest first. */
  corruptCopies(): CorruptCopy[] {
    const all = [...this.#corrupt.values()].sort((a, b) => a.since - b.since);
    return all.map(({ upstream, digest, since }) => ({ upstream, digest, since }));
  }

  /** Numbers of copies by state. `verified` includes copies whose verification has expired. */
  counts(): { verified: number; corrupt: number; hashing: number } {
    return { verified: this.#verified.size, corrupt: this.#corrupt.size, hashing: this.#claims.size };
  }

  /** Forgets an upstream whose name stands for another registry now. */
  forget(upstream: string): void {
    for (const copies of [this.#verified, this.#corrupt])
      for (const key of [...copies.keys()]) if (key.startsWith(copyKey(upstream, ''))) copies.delete(key);
  }

  #isDue(upstream: string, digest: string): boolean {
    if (this.policy === 'never') return false;
    if (this.policy === 'always' || this.isCorrupt(upstream, digest)) return true;
    const claim = this.#claims.get(copyKey(upstream, digest));
    return !this.isVerified(upstream, digest) && (!claim || this.#now() - claim.at >= CLAIM_TIMEOUT_MS);
  }

  #recordResult(digest: string, contributors: readonly string[], right: boolean, claimNumber: number): Blame {
    const found = blame(contributors, (upstream) => this.isVerified(upstream, digest), right);
    const verified = found.verified.filter((upstream) => {
      const entry = this.#corrupt.get(copyKey(upstream, digest));
      return !entry || entry.claimNumber < claimNumber;
    });
    for (const upstream of verified) {
      this.#corrupt.delete(copyKey(upstream, digest));
      this.#verified.set(copyKey(upstream, digest), this.#now());
    }
    for (const upstream of [...found.unverified, ...found.corrupt]) this.#verified.delete(copyKey(upstream, digest));
    for (const upstream of found.corrupt) this.#markCorrupt(upstream, digest);
    return { ...found, verified };
  }

  #markCorrupt(upstream: string, digest: string): void {
    const key = copyKey(upstream, digest);
    const since = this.#corrupt.get(key)?.since ?? this.#now();
    this.#corrupt.set(key, { upstream, digest, since, claimNumber: this.#claimCount });
  }
}

/** Names of upstreams contain no space. */
function copyKey(upstream: string, digest: string): string {
  return `${upstream} ${digest}`;
}

/** The effect of one digest on the copies that a body was made of, by upstream. */
export interface Blame {
  /** Copies that have the right bytes. */
  verified: string[];
  /** Copies that may have wrong bytes. */
  corrupt: string[];
  /** Copies that were verified before and must be hashed again. */
  unverified: string[];
}

/**
 * Decides which copies a digest clears or accuses. A body of several upstreams clears no copy, because no copy was read
 * whole. A wrong body accuses the copies that were never verified. Each of them is hashed whole the next time, which
 * clears the sound ones. If all were verified, all are accused: storage may have lost bits since.
 */
export function blame(
  contributors: readonly string[],
  verifiedBefore: (upstream: string) => boolean,
  right: boolean,
): Blame {
  if (right) return { verified: contributors.length === 1 ? [...contributors] : [], corrupt: [], unverified: [] };
  const suspects = contributors.filter((upstream) => !verifiedBefore(upstream));
  if (suspects.length === 0) return { verified: [], corrupt: [...contributors], unverified: [] };
  return { verified: [], corrupt: suspects, unverified: contributors.filter(verifiedBefore) };
}
