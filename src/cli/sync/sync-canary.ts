import { imageName } from '../../oci/reference.ts';
import type { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import type { SyncImage } from '../../replication/sync/sync-event.ts';

/**
 * The canary of the target. Once the target has its canary, edges believe its 404 for any other image, so the canary is copied last.
 */
export class SyncCanary {
  readonly #repository: string;
  readonly #reference: string;

  /** @param image as configured: `library/canary:latest`, `repository@digest` */
  constructor(image: string) {
    const [, repository = '', reference = 'latest'] = /^([^:@]+)[:@]?(.+)?$/.exec(image) ?? [];
    this.#repository = repository;
    this.#reference = reference;
  }

  /** Whether copying this image copies the canary. */
  isIn({ repository, tag }: SyncImage): boolean {
    const byDigest = this.#reference.includes(':');
    return repository.target === this.#repository && (byDigest || tag === this.#reference);
  }

  /** A note if the target has no canary. @throws CopyError, UpstreamError */
  async missingNote(registry: RemoteRegistry, signal: AbortSignal): Promise<string[]> {
    const found = await registry.resolveDigest(this.#repository, this.#reference, signal);
    if (found !== undefined) return [];
    const name = imageName(this.#repository, this.#reference);
    return [`${registry.name} has no canary. Push ${name}; until then edges count ${registry.name} as down.`];
  }
}
