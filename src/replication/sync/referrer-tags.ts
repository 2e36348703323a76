import { readManifestContent } from '../../oci/manifest-content.ts';
import { subjectOfTag } from '../../oci/referrers-list.ts';
import { manifestDigest } from '../copy/verified-digest.ts';
import type { RepositoryPair } from '../copy-route.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import type { SyncImage } from './sync-event.ts';

export interface ReferrerTagRoundsOptions {
  source: RemoteRegistry;
  target: RemoteRegistry;
  repository: RepositoryPair;
  /** Tags that the target lacks or has at another digest: those that the user asked for, and all others. */
  requested: readonly SyncImage[];
  unrequested: readonly SyncImage[];
  /** Whether each round is copied before the next one is requested. */
  copiesBetweenRounds: boolean;
}

/**
 * Finds signatures and other referrer tags that the user did not ask for. The first round refers to images that are on the target or will
 * be; each further round refers to the previous one, because a signature may be signed too. Only tags that the target lacks are given.
 * @throws CopyError, UpstreamError; the signal's reason
 */
export async function* referrerTagRounds(
  { source, target, repository, requested, unrequested, copiesBetweenRounds }: ReferrerTagRoundsOptions,
  signal: AbortSignal,
): AsyncGenerator<SyncImage[]> {
  let open = unrequested.flatMap((one) => {
    const subject = referrerTagSubject(one.tag);
    return subject === undefined ? [] : [{ one, subject }];
  });
  if (open.length === 0) return;
  const coming = copiesBetweenRounds ? new Set<string>() : await digestsOf(requested);
  const isThere = async (subject: string) =>
    coming.has(subject) || (await target.resolveDigest(repository.target, subject, signal)) !== undefined;
  const subjects = new Set<string>();
  for (const { subject } of open) if (await isThere(subject)) subjects.add(subject);
  for (let near = subjects; near.size > 0 && open.length > 0; ) {
    const found = open.filter(({ subject }) => near.has(subject)).map(({ one }) => one);
    open = open.filter(({ subject }) => !near.has(subject));
    if (found.length === 0) return;
    yield found;
    near = open.length > 0 ? await digestsOf(found) : new Set();
  }

  /** Digests of these tags, and of the manifests that their indexes list. */
  async function digestsOf(tags: readonly SyncImage[]): Promise<Set<string>> {
    const digests = new Set<string>();
    for (const { tag } of tags) {
      const manifest = await source.manifest(repository.source, tag, signal);
      if (!manifest) continue;
      digests.add(manifestDigest(manifest, tag));
      const content = readManifestContent(manifest.bytes, manifest.mediaType);
      if ('children' in content) for (const { digest } of content.children) digests.add(digest);
    }
    return digests;
  }
}

/** The digest that a tag refers to: cosign's `sha256-….sig`, `.att` and `.sbom`, and the referrers tag. Undefined: an ordinary tag. */
export function referrerTagSubject(tag: string): string | undefined {
  return subjectOfTag(tag.replace(/\..+$/, ''));
}
