import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** Milliseconds for which an upstream's answer to a client's own credentials shows what the client may see there. */
const SHOWN_MS = 60_000;
const MAX_SHOWN = 10_000;

/**
 * The repositories that upstreams have just shown to clients with credentials of their own. While such an upstream is merely slow, another
 * upstream may answer only these clients in its place: the slow one may be about to hide the repository (rule 3).
 */
export class ShownRepositories {
  readonly #shown = new LRUCache<string, true>({ maxSize: MAX_SHOWN, sizeCalculation: () => 1, ttl: SHOWN_MS });

  note(upstream: string, repository: string, authorization: string | undefined): void {
    this.#shown.set(keyOf(upstream, repository, authorization), true);
  }

  has(upstream: string, repository: string, authorization: string | undefined): boolean {
    return this.#shown.has(keyOf(upstream, repository, authorization));
  }
}

function keyOf(upstream: string, repository: string, authorization = ''): string {
  return `${upstream}\n${repository}\n${createHash('sha256').update(authorization).digest('base64')}`;
}
