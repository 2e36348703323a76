import { REFERRERS_TYPE, type Referrer, referrersTag, withReferrer } from '../../oci/referrers-list.ts';
import { CopyError } from '../copy-error.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import type { CopyJob } from './copy-job.ts';
import type { KnownContent } from './known-content.ts';

/**
 * Keeps the referrers tag on a target without a referrers API, because clients look there for signatures (distribution-spec v1.1.1
 * "Referrers Tag Schema"). A source without that API has such tags itself, and they are copied like other tags.
 * @param known content of the target; it serializes updates of one list, since concurrent ones would lose an entry
 * @throws CopyError, UpstreamError; the signal's reason
 */
export async function updateReferrersTag(
  { source, target }: CopyJob,
  subject: string,
  referrer: Referrer,
  known: KnownContent,
  signal: AbortSignal,
): Promise<void> {
  const { registry, repository } = target;
  if (await registry.supportsReferrers(repository, subject, signal)) return;
  if (!(await source.registry.supportsReferrers(source.repository, subject, signal))) return;
  const tag = referrersTag(subject);
  await known.exclusively(`${repository}:${tag}`, signal, () =>
    addReferrer(registry, repository, tag, referrer, signal),
  );
}

async function addReferrer(
  registry: RemoteRegistry,
  repository: string,
  tag: string,
  referrer: Referrer,
  signal: AbortSignal,
): Promise<void> {
  const there = await registry.manifest(repository, tag, signal);
  const list = listWith(registry, `${repository}:${tag}`, there?.bytes, referrer);
  if (list) await registry.putManifest(repository, tag, { bytes: list, mediaType: REFERRERS_TYPE }, signal);
}

function listWith({ name }: RemoteRegistry, tag: string, there: Buffer | undefined, referrer: Referrer) {
  try {
    return withReferrer(there, referrer);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CopyError(`${name} has a tag ${tag} that is no list of what refers to an image: ${why}`, { cause });
  }
}
