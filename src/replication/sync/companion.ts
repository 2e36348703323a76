import { subjectOfTag } from '../../oci/referrers-list.ts';

/**
 * Digest that a tag says it is about: cosign's `sha256-….sig`, `.att` and `.sbom`, and the list of referrers of a registry that has none
 * itself. Undefined: it is a tag like any other.
 */
export function companionOf(tag: string): string | undefined {
  return subjectOfTag(tag.replace(/\..+$/, ''));
}
