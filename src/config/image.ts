import { isDigest, isRepository, isTag } from '../oci/reference.ts';

/** Whether `text` is `repository`, `repository:tag` or `repository@digest`. */
export function isImage(text: string): boolean {
  const [, repository = '', tag, digest] = /^([^:@]+)(?::([^@]+)|@(.+))?$/.exec(text) ?? [];
  return isRepository(repository) && (tag === undefined || isTag(tag)) && (digest === undefined || isDigest(digest));
}
