import { isDigest, isRepository, isTag } from '../../oci/reference.ts';

/** One page of a catalog or of a tag list. */
export interface RegistryLists {
  repositories: string[];
  tags: string[];
  /** Tag -> digest, where the registry sends digests (Artifact Registry). */
  digests: Map<string, string>;
}

/**
 * Parses a catalog or a tag list; malformed names are skipped.
 * @returns undefined: this is no such list, for example an HTML page, which must not count as an empty registry
 */
export function parseLists(body: Buffer): RegistryLists | undefined {
  const content = parseJson(body);
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return undefined;
  const { repositories, tags, manifest, errors }: Record<string, unknown> = { ...content };
  if (errors !== undefined || !isListOrAbsent(repositories) || !isListOrAbsent(tags)) return undefined;
  return {
    repositories: stringsIn(repositories).filter(isRepository),
    tags: stringsIn(tags).filter(isTag),
    digests: digestsIn(manifest),
  };
}

/** distribution writes null for an empty list. */
function isListOrAbsent(value: unknown): boolean {
  return value === undefined || value === null || Array.isArray(value);
}

function stringsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

/** Artifact Registry's `manifest`: digest -> { tag: [...] }. */
function digestsIn(manifest: unknown): Map<string, string> {
  const digests = new Map<string, string>();
  if (typeof manifest !== 'object' || manifest === null) return digests;
  for (const [digest, about] of Object.entries(manifest)) {
    const tags: unknown = typeof about === 'object' && about !== null && 'tag' in about ? about.tag : undefined;
    if (!isDigest(digest) || !Array.isArray(tags)) continue;
    for (const tag of tags) if (typeof tag === 'string') digests.set(tag, digest);
  }
  return digests;
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
