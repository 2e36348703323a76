import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { AnswerHead } from './attempt-result.ts';

/** A manifest as an upstream answered it, with a digest that was proven. */
export interface KeptManifest {
  head: AnswerHead;
  bytes: Buffer;
  /** The headers of a reply with it, once there was one. */
  headers?: [string, string][];
}

/** Where a manifest lies, and who may see it there. */
export interface ManifestPlace {
  upstream: string;
  repository: string;
  digest: string;
  /** The client's own Authorization, empty if it has none, where that upstream gets it; undefined where it gets the edge's. */
  authorization: string | undefined;
}

export interface ManifestCacheOptions {
  /** Bytes of manifests that are kept. */
  memory: number;
  /** Milliseconds that one is kept. */
  keep: number;
}

/** What an entry costs beside its bytes and its headers: its key, and the objects. */
const OVERHEAD = 1024;
/** Headers are kept as they came, and as clients get them; so much for each of both. */
const PER_HEADER = 64;
/** For how long an upstream that decides by the client's credentials is not asked whether it still lets that client in. */
const PERSONAL_MS = 60_000;

/**
 * Manifests by digest. The key holds upstream and repository, because who may read one repository may not read another, and the
 * credentials where the upstream decides by them.
 */
export class ManifestCache {
  readonly #kept: LRUCache<string, KeptManifest> | undefined;
  readonly #keep: number;

  constructor({ memory, keep }: ManifestCacheOptions) {
    this.#keep = keep;
    if (memory === 0 || keep === 0) return;
    // One that is longer than an eighth of all would push out too many others.
    this.#kept = new LRUCache({
      maxSize: memory,
      maxEntrySize: Math.ceil(memory / 8),
      ttl: keep,
      sizeCalculation: costOf,
    });
  }

  get(place: ManifestPlace): KeptManifest | undefined {
    return this.#kept?.get(keyOf(place));
  }

  set(place: ManifestPlace, kept: KeptManifest): void {
    const ttl = place.authorization === undefined ? this.#keep : Math.min(this.#keep, PERSONAL_MS);
    this.#kept?.set(keyOf(place), kept, { ttl });
  }

  /** After a manifest was deleted; or all of a repository, or of an upstream. */
  forget(upstream: string, repository?: string, digest?: string): void {
    const start = [upstream, repository, digest].filter((part) => part !== undefined).join('\n');
    for (const key of this.#kept?.keys() ?? []) if (key.startsWith(`${start}\n`)) this.#kept?.delete(key);
  }

  /** Manifests, and bytes. */
  get size(): { manifests: number; bytes: number } {
    return { manifests: this.#kept?.size ?? 0, bytes: this.#kept?.calculatedSize ?? 0 };
  }
}

function costOf({ head, bytes }: KeptManifest): number {
  let cost = bytes.length + OVERHEAD;
  for (const [name, value] of head.headers) cost += 2 * (PER_HEADER + name.length + value.length);
  return cost;
}

// No name of an upstream, no repository and no digest has a line end in it.
function keyOf({ upstream, repository, digest, authorization }: ManifestPlace): string {
  const whose = authorization === undefined ? '' : createHash('sha256').update(authorization).digest('base64');
  return `${upstream}\n${repository}\n${digest}\n${whose}`;
}
