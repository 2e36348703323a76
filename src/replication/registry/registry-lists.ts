import { isDigest, isRepository, isTag } from '../../oci/reference.ts';

/** A page of a catalog or of a tag list. */
export interface RegistryLists {
  repositories: string[];
  tags: string[];
  /** Of tags, where the registry tells them (Artifact Registry). */
  digests: Map<string, string>;
}

/** The lists of a catalog or of tags; what is not as it should be is as if it were not there. */
export function readLists(body: Buffer): RegistryLists {
  const content = parsed(body);
  const { repositories, tags, manifest } =
    typeof content === 'object' && content !== null ? ({ ...content } as Record<string, unknown>) : {};
  return {
    repositories: texts(repositories).filter(isRepository),
    tags: texts(tags).filter(isTag),
    digests: digestsIn(manifest),
  };
}

function texts(value: unknown): string[] {
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

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
