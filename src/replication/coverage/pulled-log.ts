import { LRUCache } from 'lru-cache';
import { isDigest } from '../../oci/reference.ts';

/** A manifest that a client pulled. */
export interface PulledManifest {
  /** The registry that the client named, where a route is for one; undefined: the edge's own names. */
  registry: string | undefined;
  /** As clients name it. */
  repository: string;
  /** Tag or digest. */
  reference: string;
  /** What was served. */
  digest: string;
  /** When last; epoch milliseconds. */
  at: number;
}

export interface PulledLogOptions {
  /** Things that are remembered. Default 50,000, some 20 MB. */
  max?: number;
  now?: () => number;
}

const MAX_MANIFESTS = 50_000;
/** That something is pulled again is noted so rarely, in milliseconds. */
const RENEWAL_MS = 60_000;
/** How long a pull is remembered, in milliseconds. */
const KEEP_MS = 31 * 86_400_000;
/** The clocks of a pair may differ by so much, in milliseconds. */
const SKEW_MS = 300_000;

/** What clients pulled in the last month, each thing once: what a fallback has to have. In memory, and bounded. */
export class PulledLog {
  /** Of whatever there is no room for, that goes which was not pulled for the longest time. */
  readonly #manifests: LRUCache<string, PulledManifest>;
  readonly #now: () => number;
  /** When it began to remember; epoch milliseconds. What was pulled before it knows from other nodes, if at all. */
  readonly since: number;
  /** Told of each thing that was noted, with what was known of it before. */
  onChange: ((key: string, pulled: PulledManifest, before: PulledManifest | undefined) => void) | undefined;

  constructor({ max = MAX_MANIFESTS, now = Date.now }: PulledLogOptions = {}) {
    this.#manifests = new LRUCache({ max });
    this.#now = now;
    this.since = now();
  }

  get size(): number {
    return this.#manifests.size;
  }

  /** A client was served a manifest. */
  record(pulled: Omit<PulledManifest, 'at'>): void {
    const key = pulledKey(pulled);
    const known = this.#manifests.peek(key);
    const at = this.#now();
    if (known && known.digest === pulled.digest && Math.abs(at - known.at) < RENEWAL_MS) return;
    const noted = { ...pulled, at };
    this.#manifests.set(key, noted);
    this.onChange?.(key, noted, known);
  }

  find(key: string): PulledManifest | undefined {
    const known = this.#manifests.peek(key);
    return known && this.#now() - known.at <= KEEP_MS ? known : undefined;
  }

  /** What another node noted, in any order and as often as it likes. @returns how many were news */
  merge(pulls: readonly PulledManifest[]): number {
    let news = 0;
    const now = this.#now();
    for (const pulled of pulls) {
      const key = pulledKey(pulled);
      const known = this.#manifests.peek(key);
      if (pulled.at > now + SKEW_MS || now - pulled.at > KEEP_MS || !isDigest(pulled.digest)) continue;
      if (known && !isLater(pulled, known)) {
        // Whoever told it has not heard of what came after.
        if (known.digest !== pulled.digest) this.onChange?.(key, known, pulled);
        continue;
      }
      // Nothing that was pulled later is pushed out by it.
      if (!known && this.#manifests.size >= this.#manifests.max && this.#isOlderThanAll(pulled)) continue;
      this.#manifests.set(key, pulled);
      this.onChange?.(key, pulled, known);
      news += 1;
    }
    return news;
  }

  /** @param ms how long ago at most */
  *within(ms: number): Generator<PulledManifest> {
    const after = this.#now() - Math.min(ms, KEEP_MS);
    for (const pulled of this.#manifests.values()) if (pulled.at >= after) yield pulled;
  }

  #isOlderThanAll({ at }: PulledManifest): boolean {
    const [oldest] = this.#manifests.rvalues();
    return oldest !== undefined && at < oldest.at;
  }
}

/** Of two at the same moment one wins, whoever compares them. */
function isLater(one: PulledManifest, other: PulledManifest): boolean {
  return one.at > other.at || (one.at === other.at && one.digest > other.digest);
}

/** No registry, repository or reference has a line end in it. */
export function pulledKey({
  registry = '',
  repository,
  reference,
}: Pick<PulledManifest, 'registry' | 'repository' | 'reference'>): string {
  return `${registry}\n${repository}\n${reference}`;
}
