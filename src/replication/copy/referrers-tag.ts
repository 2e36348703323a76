import {
  listedReferrers,
  REFERRERS_TYPE,
  type Referrer,
  referrerOf,
  referrersTag,
  withoutReferrer,
  withReferrers,
} from '../../oci/referrers-list.ts';
import { CopyError, messageOf } from '../copy-error.ts';
import type { CopyJob } from './copy-job.ts';

type Ends = Pick<CopyJob, 'source' | 'target'>;

/**
 * Whether copies keep the referrers tag on the target: the target has no referrers API, so that clients look there for signatures
 * (distribution-spec v1.1.1 "Referrers Tag Schema"), and the source has one. A source without that API has such tags itself, and they are
 * copied like other tags.
 * @throws CopyError, UpstreamError; the signal's reason
 */
export async function keepsReferrersTag(
  { source, target }: Ends,
  subject: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (await target.registry.supportsReferrers(target.repository, subject, signal)) return false;
  return source.registry.supportsReferrers(source.repository, subject, signal);
}

/** Adds referrers to the tag on a target where copies keep it. @throws CopyError, UpstreamError; the signal's reason */
export async function updateReferrersTag(
  ends: Ends,
  subject: string,
  referrers: readonly Referrer[],
  signal: AbortSignal,
): Promise<void> {
  if (await keepsReferrersTag(ends, subject, signal))
    await changeTag(ends, subject, (list) => withReferrers(list, referrers), signal);
}

/** Takes a referrer off the tag, before its copy is deleted. @throws CopyError, UpstreamError; the signal's reason */
export async function removeFromReferrersTag(ends: Ends, digest: string, signal: AbortSignal): Promise<void> {
  const { registry, repository } = ends.target;
  const manifest = await registry.manifest(repository, digest, signal);
  const referrer = manifest && referrerOf(manifest.bytes, manifest.mediaType, digest);
  if (referrer && (await keepsReferrersTag(ends, referrer.subject, signal)))
    await changeTag(ends, referrer.subject, (list) => list && withoutReferrer(list, digest), signal);
}

/** Whether the tag on the target has all that it has on the source, where copies keep it. @throws CopyError, UpstreamError; the signal's reason */
export async function listsAll(ends: Ends, subject: string, signal: AbortSignal): Promise<boolean> {
  if (!(await keepsReferrersTag(ends, subject, signal))) return false;
  const read = ({ registry, repository }: CopyJob['source']) =>
    registry.manifest(repository, referrersTag(subject), signal);
  const [source, target] = await Promise.all([read(ends.source), read(ends.target)]);
  const listed = source && listedReferrers(source.bytes);
  const there = new Set((target && listedReferrers(target.bytes))?.map(({ digest }) => digest));
  return listed?.every(({ digest }) => there.has(digest)) === true;
}

/** @param change undefined: nothing changes */
async function changeTag(
  { target: { registry, repository } }: Ends,
  subject: string,
  change: (list: Buffer | undefined) => Buffer | undefined,
  signal: AbortSignal,
): Promise<void> {
  const tag = referrersTag(subject);
  // Concurrent updates of one list would lose an entry.
  await registry.knownContent.exclusively({ digest: `${repository}:${tag}` }, signal, async () => {
    const there = await registry.manifest(repository, tag, signal);
    const list = changed(change, there?.bytes, `${registry.name} has a tag ${repository}:${tag}`);
    if (list) await registry.putManifest(repository, tag, { bytes: list, mediaType: REFERRERS_TYPE }, signal);
  });
}

function changed(
  change: (list: Buffer | undefined) => Buffer | undefined,
  there: Buffer | undefined,
  what: string,
): Buffer | undefined {
  try {
    return change(there);
  } catch (cause) {
    throw new CopyError(`${what} that is no list of what refers to an image: ${messageOf(cause)}`, { cause });
  }
}
