import { REFERRERS_TYPE, type Referrer, referrersTag, withReferrer } from '../../oci/referrers-list.ts';
import { CopyError, messageOf } from '../copy-error.ts';
import type { CopyJob } from './copy-job.ts';

/**
 * Keeps the referrers tag on a target without a referrers API, because clients look there for signatures (distribution-spec v1.1.1
 * "Referrers Tag Schema"). A source without that API has such tags itself, and they are copied like other tags.
 * @throws CopyError, UpstreamError; the signal's reason
 */
export async function updateReferrersTag(
  { source, target }: CopyJob,
  subject: string,
  referrer: Referrer,
  signal: AbortSignal,
): Promise<void> {
  const { registry, repository } = target;
  if (await registry.supportsReferrers(repository, subject, signal)) return;
  if (!(await source.registry.supportsReferrers(source.repository, subject, signal))) return;
  const tag = referrersTag(subject);
  // Concurrent updates of one list would lose an entry.
  await registry.knownContent.exclusively({ digest: `${repository}:${tag}` }, signal, async () => {
    const there = await registry.manifest(repository, tag, signal);
    const list = listWith(referrer, there?.bytes, `${registry.name} has a tag ${repository}:${tag}`);
    if (list) await registry.putManifest(repository, tag, { bytes: list, mediaType: REFERRERS_TYPE }, signal);
  });
}

function listWith(referrer: Referrer, there: Buffer | undefined, what: string): Buffer | undefined {
  try {
    return withReferrer(there, referrer);
  } catch (cause) {
    throw new CopyError(`${what} that is no list of what refers to an image: ${messageOf(cause)}`, { cause });
  }
}
