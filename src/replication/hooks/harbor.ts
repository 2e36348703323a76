import { z } from 'zod';
import { isDigest, isRepository, isTag } from '../../oci/reference.ts';
import type { Hint } from '../hint.ts';
import { RETENTION_TYPES, readHarborRetention } from './harbor-retention.ts';
import { parseJson, validate } from './payload.ts';

const MAX_RESOURCES = 1000;

const KINDS: ReadonlyMap<string, Hint['kind']> = new Map([
  ['PUSH_ARTIFACT', 'push'],
  ['harbor.artifact.pushed', 'push'],
  ['DELETE_ARTIFACT', 'delete'],
  ['harbor.artifact.deleted', 'delete'],
]);

const envelope = z.object({ type: z.string(), specversion: z.string().optional() }).loose();

const artifacts = z.object({
  repository: z.object({ repo_full_name: z.string().refine(isRepository) }),
  resources: z
    .array(
      z
        .object({ digest: z.string().refine(isDigest), tag: z.string().default('') })
        // An artifact without a tag carries its digest as the tag.
        .refine(({ digest, tag }) => tag === '' || tag === digest || isTag(tag)),
    )
    .min(1)
    .max(MAX_RESOURCES),
});

/**
 * Reads a webhook of Harbor, in its default format or as a CloudEvent (structured mode). Other events than pushes, deletions and retention
 * runs give no hint.
 * @throws OciError
 */
export function readHarborHook(text: string): Hint[] {
  const event = validate(parseJson(text), envelope, '');
  const place = event.specversion === undefined ? 'event_data' : 'data';
  if (RETENTION_TYPES.includes(event.type)) return readHarborRetention(event[place], place);
  const kind = KINDS.get(event.type);
  if (kind === undefined) return [];
  const { repository, resources } = validate(event[place], artifacts, place);
  const references = resources.flatMap(({ digest, tag }) => {
    const tags = tag === '' || tag === digest ? [] : [tag];
    // The deletion of an artifact deletes all its tags, but Harbor names only one.
    if (kind === 'delete') return [digest, ...tags];
    return tags.length > 0 ? tags : [digest];
  });
  return [...new Set(references)].map((reference) => ({
    repository: repository.repo_full_name,
    reference,
    kind,
    from: 'harbor',
  }));
}
