import type { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import type { SyncImage } from '../../replication/sync/sync-event.ts';

/**
 * The image by which edges tell that the other side has its storage. Once it is there they take what is missing for absent, so that it has
 * to come after all else.
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

  /** Whether it would be there with this image. */
  isIn({ repository, tag }: SyncImage): boolean {
    const byDigest = this.#reference.includes(':');
    return repository.target === this.#repository && (byDigest || tag === this.#reference);
  }

  /** What is to be known if it is not there. @throws CopyError, UpstreamError */
  async lack(registry: RemoteRegistry, signal: AbortSignal): Promise<string[]> {
    const found = await registry.resolveDigest(this.#repository, this.#reference, signal);
    if (found !== undefined) return [];
    const end = this.#reference.includes(':') ? '@' : ':';
    const name = `${this.#repository}${end}${this.#reference}`;
    return [
      `${name}, the canary of ${registry.name}, is not there: until it is pushed, edges count ${registry.name} as down`,
    ];
  }
}
