import { z } from 'zod';
import { isReference, isRepository } from '../../oci/reference.ts';
import type { Hint } from '../hint.ts';
import { validate } from './payload.ts';

/** In Harbor's default format, and as a CloudEvent. */
export const RETENTION_TYPES: readonly string[] = ['TAG_RETENTION', 'harbor.tag_retention.finished'];

/** Harbor tells of all deletions in a repository at once. The size of a hook's body is limited too. */
const MAX_ARTIFACTS = 10_000;
/** `shop/web:1.4`, or `shop/web@sha256:…` for an artifact without a tag. */
const NAME = /^([^:@]+)[:@](.+)$/;

const retention = z.object({
  retention: z
    .object({
      project_name: z.string(),
      // Harbor tells only of artifacts that it has deleted; a dry run tells nothing.
      deleted_artifact: z
        .array(z.object({ name_tag: z.string() }))
        .max(MAX_ARTIFACTS)
        .nullish(),
    })
    .transform(({ project_name, deleted_artifact }) =>
      (deleted_artifact ?? []).map(({ name_tag }) => {
        const [, name = '', reference = ''] = NAME.exec(name_tag) ?? [];
        return { repository: `${project_name}/${name}`, reference };
      }),
    )
    .refine((deleted) => deleted.every((one) => isRepository(one.repository) && isReference(one.reference))),
});

/**
 * Reads what a retention run of Harbor has deleted (src/controller/event/handler/webhook/artifact/retention.go). The names of repositories
 * lack the project, and of an artifact with several tags only one tag is named.
 * @throws OciError
 */
export function readHarborRetention(content: unknown, valuePath: string): Hint[] {
  const { retention: deleted } = validate(content, retention, valuePath);
  const unique = new Map(deleted.map((one) => [`${one.repository}\n${one.reference}`, one]));
  return [...unique.values()].map((one) => {
    const manifest: Pick<Hint, 'withManifest'> = one.reference.includes(':') ? {} : { withManifest: true };
    return { ...one, kind: 'delete', from: 'harbor', ...manifest };
  });
}
