import { LRUCache } from 'lru-cache';

/** Which whole transfers are hashed: see `verify` in the configuration. */
export type VerifyPolicy = 'first' | 'always' | 'never';

/** The right to say what the digest of one whole transfer was; only the first of its calls counts. */
export interface Claim {
  /** @param contributors the upstreams that brought bytes of it */
  right(contributors: readonly string[]): Blame;
  wrong(contributors: readonly string[]): Blame;
  /** The transfer broke off, or its digest could not be computed: nothing is known. */
  drop(): void;
}

export interface RottenCopy {
  upstream: string;
  digest: string;
  /** Milliseconds since 1970. */
  since: number;
}

interface Rot extends RottenCopy {
  /** Place among the claims: one that began before it cannot clear it. */
  order: number;
}

const DAY_MS = 86_400_000;
/** A client that takes longer than that over a blob does not keep others from hashing it. */
const CLAIM_MS = 60_000;
/** Copies that are remembered; some 200 bytes each. Who falls out is hashed once more. */
const MAX_VERIFIED = 50_000;
const MAX_ROTTEN = 10_000;
const NOTHING: Blame = { verified: [], rotten: [], doubted: [] };

/** What is known of the copies of blobs: one for each upstream and digest, whatever repository it is read by. */
export class Copies {
  policy: VerifyPolicy;
  readonly #now: () => number;
  /** When the digest was right. */
  readonly #verified = new LRUCache<string, number>({ max: MAX_VERIFIED });
  readonly #rotten = new LRUCache<string, Rot>({ max: MAX_ROTTEN });
  /** The latest claim to each copy, and when it was made. */
  readonly #claims = new Map<string, { at: number }>();
  #order = 0;

  /** @param now milliseconds since 1970 */
  constructor(policy: VerifyPolicy, now: () => number = Date.now) {
    this.policy = policy;
    this.#now = now;
  }

  /** Undefined: this whole transfer need not be hashed. */
  claim(upstream: string, digest: string): Claim | undefined {
    const key = keyOf(upstream, digest);
    if (!this.#isDue(key)) return undefined;
    const mine = { at: this.#now() };
    this.#claims.set(key, mine);
    this.#order += 1;
    const order = this.#order;
    let open = true;
    const settle = (contributors: readonly string[], right: boolean | undefined): Blame => {
      if (!open) return NOTHING;
      open = false;
      if (this.#claims.get(key) === mine) this.#claims.delete(key);
      return right === undefined ? NOTHING : this.#judge(digest, contributors, right, order);
    };
    return {
      right: (contributors) => settle(contributors, true),
      wrong: (contributors) => settle(contributors, false),
      drop: () => void settle([], undefined),
    };
  }

  /** Whether the copy had wrong bytes, or was part of what had: nothing of it may be the end of a response unless that was hashed. */
  isRotten(upstream: string, digest: string): boolean {
    return this.policy !== 'never' && this.#rotten.has(keyOf(upstream, digest));
  }

  isVerified(upstream: string, digest: string): boolean {
    return this.#isVerified(keyOf(upstream, digest));
  }

  /** Those found first come first. */
  rottenCopies(): RottenCopy[] {
    const all = [...this.#rotten.values()].sort((a, b) => a.since - b.since);
    return all.map(({ upstream, digest, since }) => ({ upstream, digest, since }));
  }

  /** For the status. `verified` may count some whose day is over; `claimed` are copies that are being hashed. */
  counts(): { verified: number; rotten: number; claimed: number } {
    return { verified: this.#verified.size, rotten: this.#rotten.size, claimed: this.#claims.size };
  }

  /** The name stands for another registry now. */
  forget(upstream: string): void {
    for (const copies of [this.#verified, this.#rotten])
      for (const key of [...copies.keys()]) if (key.startsWith(keyOf(upstream, ''))) copies.delete(key);
  }

  #isDue(key: string): boolean {
    if (this.policy === 'never') return false;
    if (this.policy === 'always' || this.#rotten.has(key)) return true;
    const claim = this.#claims.get(key);
    return !this.#isVerified(key) && (!claim || this.#now() - claim.at >= CLAIM_MS);
  }

  #isVerified(key: string): boolean {
    const at = this.#verified.get(key);
    return at !== undefined && this.#now() - at < DAY_MS;
  }

  #judge(digest: string, contributors: readonly string[], right: boolean, order: number): Blame {
    const found = blame(contributors, (upstream) => this.isVerified(upstream, digest), right);
    const cleared = found.verified.filter((upstream) => {
      const rot = this.#rotten.get(keyOf(upstream, digest));
      return !rot || rot.order < order;
    });
    for (const upstream of cleared) {
      this.#rotten.delete(keyOf(upstream, digest));
      this.#verified.set(keyOf(upstream, digest), this.#now());
    }
    for (const upstream of [...found.doubted, ...found.rotten]) this.#verified.delete(keyOf(upstream, digest));
    for (const upstream of found.rotten) this.#condemn(upstream, digest);
    return { ...found, verified: cleared };
  }

  #condemn(upstream: string, digest: string): void {
    const key = keyOf(upstream, digest);
    const since = this.#rotten.get(key)?.since ?? this.#now();
    this.#rotten.set(key, { upstream, digest, since, order: this.#order });
  }
}

/** Names of upstreams have no space in them. */
function keyOf(upstream: string, digest: string): string {
  return `${upstream} ${digest}`;
}

/** What a digest says of the copies that a body was put together from, by the names of their upstreams. */
export interface Blame {
  /** They have the right bytes. */
  verified: string[];
  /** They may have wrong ones. */
  rotten: string[];
  /** They were verified once, and are to be looked at again. */
  doubted: string[];
}

/**
 * Who is to be believed after the digest of a whole body was computed. A body of several upstreams clears none of them, since nobody's
 * copy was read whole. If it is wrong, whoever was never verified is suspected: each is hashed whole the next time, which clears the
 * innocent; and one that was verified may have rotted since.
 */
export function blame(
  contributors: readonly string[],
  verifiedBefore: (upstream: string) => boolean,
  right: boolean,
): Blame {
  if (right) return { verified: contributors.length === 1 ? [...contributors] : [], rotten: [], doubted: [] };
  const suspects = contributors.filter((upstream) => !verifiedBefore(upstream));
  if (suspects.length === 0) return { verified: [], rotten: [...contributors], doubted: [] };
  return { verified: [], rotten: suspects, doubted: contributors.filter(verifiedBefore) };
}
