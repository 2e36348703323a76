import { isObject } from './manifest-content.ts';
import { isManifestType } from './manifest-type.ts';

/** What a read of a registry asks for. */
export type ContentKind = 'manifest' | 'blob' | 'tags' | 'referrers' | 'catalog' | 'ping';

/** The list in each kind of answer that is one. Go writes an empty list as null. */
const LISTS: ReadonlyMap<ContentKind, string> = new Map([
  ['tags', 'tags'],
  ['referrers', 'manifests'],
  ['catalog', 'repositories'],
]);

/** Bytes above which a list has entries. */
const MAX_EMPTY = 65_536;

/**
 * Why a whole body is not what was asked for, as the end of a sentence about the upstream. Undefined: it can be. An error, or the page of a
 * captive portal, often comes with status 200.
 */
export function contentProblem(kind: ContentKind, body: Buffer): string | undefined {
  if (kind === 'manifest') return isManifest(parse(body)) ? undefined : 'it answers with something that is no manifest';
  const list = LISTS.get(kind);
  if (list === undefined) return undefined;
  const value = parse(body)?.[list];
  return Array.isArray(value) || value === null ? undefined : `it answers with something that has no list of ${list}`;
}

/** Whether a whole answer is a list without entries. Such a list is believed only like a 404 (rule 4). */
export function isEmptyList(kind: ContentKind, body: Buffer): boolean {
  const list = LISTS.get(kind);
  if (list === undefined || body.length > MAX_EMPTY) return false;
  const content = parse(body);
  const isEmpty = (value: unknown) =>
    value === null || value === undefined || (Array.isArray(value) && value.length === 0);
  // Artifact Registry lists names below a repository beside its tags.
  return content !== undefined && isEmpty(content[list]) && isEmpty(content.child);
}

/** Schema 1 counts, because registries still convert to it. An OCI artifact manifest has a type, but no version. */
function isManifest(content: Record<string, unknown> | undefined): boolean {
  const { schemaVersion, mediaType } = content ?? {};
  if (schemaVersion === 1 || schemaVersion === 2) return true;
  return typeof mediaType === 'string' && isManifestType(mediaType) === 'yes';
}

function parse(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const content: unknown = JSON.parse(bytes.toString('utf8'));
    return isObject(content) ? content : undefined;
  } catch {
    return undefined;
  }
}
