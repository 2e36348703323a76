import { type CopyTimes, type KnownTagState, type NewerDecision, newerTag } from '../../failover/newer-copy.ts';
import { timeOf } from '../compare/waiting-tags.ts';
import { orUnknown } from '../copy-error.ts';
import type { RepositoryPair } from '../copy-route.ts';
import { mapLimit } from '../map-limit.ts';
import type { RemoteRegistry, TagTimes } from '../registry/remote-registry.ts';
import type { SyncImage } from './sync-event.ts';

export interface NewerTagsOptions {
  source: RemoteRegistry;
  target: RemoteRegistry;
  /** The states of a tag at the target, by the ledger of an edge, newest first; empty: nothing is known. */
  statesOf: (repository: RepositoryPair, tag: string) => Promise<readonly KnownTagState[]>;
}

/** Concurrent questions about tags. */
const CONCURRENCY = 8;

/**
 * Decides for each tag of a repository whether the source has the newer one.
 * @throws CopyError, UpstreamError; the signal's reason
 */
export async function decideNewer(
  repository: RepositoryPair,
  images: readonly SyncImage[],
  { source, target, statesOf }: NewerTagsOptions,
  signal: AbortSignal,
): Promise<Map<SyncImage, NewerDecision>> {
  const decisions = new Map<SyncImage, NewerDecision>();
  if (images.length === 0) return decisions;
  const nothing: TagTimes = new Map();
  const [uploaded, pushed] = await Promise.all([
    orUnknown(source.tagTimes(repository.source, signal), nothing),
    orUnknown(target.tagTimes(repository.target, signal), nothing),
  ]);
  const newestPush = latestOf(pushed);
  await mapLimit(images, CONCURRENCY, async (image) => {
    const { tag, targetDigest } = image;
    const copyDigest = image.sourceDigest ?? (await source.resolveDigest(repository.source, tag, signal));
    if (copyDigest === undefined) return;
    const times: CopyTimes = {
      copy: timeOf(uploaded, tag, copyDigest),
      primary: targetDigest === undefined ? newestPush : timeOf(pushed, tag, targetDigest),
    };
    const states = await statesOf(repository, tag);
    decisions.set(image, newerTag({ states, copyDigest, primaryDigest: targetDigest ?? null, times }));
  });
  return decisions;
}

/** Why a tag is not copied. @param target the registry that is to get it */
export function reasonToLeave({ newer, by }: NewerDecision, { state }: SyncImage, target: string): string {
  if (newer === 'unknown') return 'neither the ledger nor push times tell which one is newer';
  if (by === 'ledger')
    return state === 'missing' ? `deleted on ${target}, by the ledger` : `newer on ${target}, by the ledger`;
  return state === 'missing'
    ? `${target} has newer pushes in that repository, so it may have been deleted there`
    : `newer on ${target}, by the times of pushes`;
}

function latestOf(times: TagTimes): number | undefined {
  const all = [...times.values()].flatMap(({ at }) => at ?? []);
  return all.length > 0 ? Math.max(...all) : undefined;
}
