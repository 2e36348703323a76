import { z } from 'zod';
import { isDigest, isRepository, isTag } from '../../oci/reference.ts';
import type { Hint } from '../hint.ts';
import { parseJson, validate } from './payload.ts';

/** docker-registry sends events one by one; other senders batch them. */
const MAX_EVENTS = 1000;
/** Media types of manifests; blobs have events too. */
const MANIFEST = /^application\/vnd\.(docker\.distribution\.manifest\.|oci\.(image|artifact)\.(manifest|index)\.)/;

const envelope = z.object({
  events: z
    .array(z.object({ action: z.string(), target: z.object({ mediaType: z.string().optional() }).loose() }))
    .max(MAX_EVENTS),
});

const target = z.object({
  repository: z.string().refine(isRepository),
  digest: z.string().refine(isDigest).optional(),
  tag: z.string().refine(isTag).optional(),
});

/**
 * Reads notifications of distribution (docker-registry), `events.v1+json` and `events.v2+json`. Events of other actions, or about blobs,
 * give no hint.
 * @throws OciError
 */
export function readDistributionHook(text: string): Hint[] {
  const { events } = validate(parseJson(text), envelope, '');
  const hints = new Map<string, Hint>();
  for (const [index, event] of events.entries()) {
    const { action, target: what } = event;
    if (action !== 'push' && action !== 'delete') continue;
    // A deletion never carries a media type.
    const unspecified = action === 'delete' && what.mediaType === undefined;
    if (!unspecified && !MANIFEST.test(what.mediaType ?? '')) continue;
    const { repository, tag, digest } = validate(what, target, `events.${index}.target`);
    const reference = tag ?? digest;
    // The deletion of a whole repository is left to the next comparison.
    if (reference === undefined) continue;
    hints.set(`${action} ${repository} ${reference}`, { repository, reference, kind: action, from: 'distribution' });
  }
  return [...hints.values()];
}
