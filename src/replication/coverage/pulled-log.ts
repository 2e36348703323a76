import { LRUCache } from 'lru-cache';
import { monotonicNow } from '../../clock/clock.ts';
import { isDigest } from '../../oci/reference.ts';

/** A manifest that a client pulled. */
export interface PulledManifest {
  /** The registry that the client named, for routes with a `registry`; undefined: the edge's own names. */
  registry: string | undefined;
  /** The repository's name as clients use it. */
  repository: string;
  /** Tag or digest. */
  reference: string;
  /** Digest of the manifest that was served. */
  digest: string;
  /** Time of the last pull; monotonic milliseconds. */
  at: number;
  /** Time of the first pull of this digest that is known. */
  since: number;
}

export interface PulledLogOptions {
  /** Most manifests that are remembered. Default 50,000, some 20 MB. */
  max?: number;
  now?: () => number;
}

const MAX_MANIFESTS = 50_000;
/** A repeated pull is recorded at most once in so many milliseconds. */
const RENEWAL_MS = 60_000;
/** Milliseconds for which a pull is remembered. */
const KEEP_MS = 31 * 86_400_000;
/** Milliseconds by which the clocks of a pair may differ. */
const SKEW_MS = 300_000;

/** The manifests that clients pulled in the last month, which a fallback must have. In memory, and bounded. */
export class PulledLog {
  /** When the log is full, the manifest with the oldest pull is dropped. */
  readonly #manifests: LRUCache<string, PulledManifest>;
  readonly #now: () => number;
  /** Start of this log in monotonic milliseconds. Older pulls are known only from other edges. */
  readonly since: number;
  /** Called with each change, and with the previous entry. */
  onChange: ((key: string, pulled: PulledManifest, before: PulledManifest | undefined) => void) | undefined;

  constructor({ max = MAX_MANIFESTS, now = monotonicNow }: PulledLogOptions = {}) {
    this.#manifests = new LRUCache({ maxSize: max, sizeCalculation: () => 1 });
    this.#now = now;
    this.since = now();
  }

  /** Records that a client was served a manifest. */
  record(pulled: Omit<PulledManifest, 'at' | 'since'>): void {
    const key = pulledKey(pulled);
    const known = this.#manifests.peek(key);
    const at = this.#now();
    if (known && known.digest === pulled.digest && Math.abs(at - known.at) < RENEWAL_MS) return;
    const noted = { ...pulled, at, since: known?.digest === pulled.digest ? known.since : at };
    this.#manifests.set(key, noted);
    this.onChange?.(key, noted, known);
  }

  find(key: string): PulledManifest | undefined {
    const known = this.#manifests.peek(key);
    return known && this.#now() - known.at <= KEEP_MS ? known : undefined;
  }

  /**
   * Merges what another edge recorded, in any order and any number of times.
   * @returns how many entries were new
   */
  merge(pulls: readonly Omit<PulledManifest, 'since'>[]): number {
    let news = 0;
    const now = this.#now();
    for (const pulled of pulls) {
      const key = pulledKey(pulled);
      const known = this.#manifests.peek(key);
      if (pulled.at > now + SKEW_MS || now - pulled.at > KEEP_MS || !isDigest(pulled.digest)) continue;
      if (known && !isLater(pulled, known)) {
        // The edge that sent this entry does not know the newer one yet.
        if (known.digest !== pulled.digest) this.onChange?.(key, known, { ...pulled, since: pulled.at });
        continue;
      }
      // A full log keeps its newer entries.
      if (!known && this.#manifests.size >= this.#manifests.maxSize && this.#isOlderThanAll(pulled)) continue;
      const since = known?.digest === pulled.digest ? Math.min(known.since, pulled.at) : pulled.at;
      const noted = { ...pulled, since };
      this.#manifests.set(key, noted);
      this.onChange?.(key, noted, known);
      news += 1;
    }
    return news;
  }

  /** @param ms greatest age of a pull */
  *within(ms: number): Generator<PulledManifest> {
    const after = this.#now() - Math.min(ms, KEEP_MS);
    for (const pulled of this.#manifests.values()) if (pulled.at >= after) yield pulled;
  }

  #isOlderThanAll({ at }: Pick<PulledManifest, 'at'>): boolean {
    const [oldest] = this.#manifests.rvalues();
    return oldest !== undefined && at < oldest.at;
  }
}

/** At equal times one entry wins on every edge. */
function isLater(one: Omit<PulledManifest, 'since'>, other: PulledManifest): boolean {
  return one.at > other.at || (one.at === other.at && one.digest > other.digest);
}

/** No registry, repository or reference contains a line break. */
export function pulledKey({
  registry = '',
  repository,
  reference,
}: Pick<PulledManifest, 'registry' | 'repository' | 'reference'>): string {
  return `${registry}\n${repository}\n${reference}`;
}
