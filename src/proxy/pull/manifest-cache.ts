import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { AnswerHead } from './attempt-result.ts';

/** A manifest as an upstream sent it, with a verified digest. */
export interface KeptManifest {
  head: AnswerHead;
  bytes: Buffer;
  /** The headers of a reply with this manifest, made for the first reply. */
  headers?: [string, string][];
}

/** The place of a manifest, and whose credentials opened it. */
export interface ManifestPlace {
  upstream: string;
  repository: string;
  digest: string;
  /**
   * The client's own Authorization if the upstream gets it, empty if the client sent none. Undefined if the upstream
   * gets the edge's credentials.
   */
  authorization: string | undefined;
}

export interface ManifestCacheOptions {
  /** The most bytes of manifests that are kept. */
  memory: number;
  /** Milliseconds that a manifest is kept. */
  keep: number;
}

/** Bytes that an entry costs beside its manifest and headers: its key and its objects. */
const OVERHEAD = 1024;
/** Bytes that a header costs. Each is kept twice: as it came, and as clients get it. */
const PER_HEADER = 64;
/**
 * How long a manifest that was opened by a client's own credentials is served without asking the upstream again, in
 * milliseconds.
 */
const PERSONAL_MS = 60_000;

/**
 * Manifests by digest. The key has the upstream and the repository, because a client that may read one repository may
 * not be allowed to read another. It has the client's credentials too if the upstream decides by them.
 */
export class ManifestCache {
  readonly #kept: LRUCache<string, KeptManifest> | undefined;
  readonly #keep: number;

  constructor({ memory, keep }: ManifestCacheOptions) {
    this.#keep = keep;
    if (memory === 0 || keep === 0) return;
    // A manifest that takes more than an eighth of the cache would evict too many others.
    this.#kept = new LRUCache({
      maxSize: memory,
      maxEntrySize: Math.ceil(memory / 8),
      ttl: keep,
      sizeCalculation: costOf,
    });
  }

  get(place: ManifestPlace): KeptManifest | undefined {
    return this.#kept?.get(cacheKey(place));
  }

  set(place: ManifestPlace, kept: KeptManifest): void {
    const ttl = place.authorization === undefined ? this.#keep : Math.min(this.#keep, PERSONAL_MS);
    this.#kept?.set(cacheKey(place), kept, { ttl });
  }

  /** Forgets a manifest that was deleted, or all of a repository or an upstream. */
  forget(upstream: string, repository?: string, digest?: string): void {
    const start = [upstream, repository, digest].filter((part) => part !== undefined).join('\n');
    for (const key of this.#kept?.keys() ?? []) if (key.startsWith(`${start}\n`)) this.#kept?.delete(key);
  }

  get size(): { manifests: number; bytes: number } {
    return { manifests: this.#kept?.size ?? 0, bytes: this.#kept?.calculatedSize ?? 0 };
  }
}

function costOf({ head, bytes }: KeptManifest): number {
  let cost = bytes.length + OVERHEAD;
  for (const [name, value] of head.headers) cost += 2 * (PER_HEADER + name.length + value.length);
  return cost;
}

// Names of upstreams, repositories and digests have no line breaks.
function cacheKey({ upstream, repository, digest, authorization }: ManifestPlace): string {
  const whose = authorization === undefined ? '' : createHash('sha256').update(authorization).digest('base64');
  return `${upstream}\n${repository}\n${digest}\n${whose}`;
}
