import { z } from 'zod';
import { isDigest, isRepository, isTag } from '../../oci/reference.ts';
import { parseJson } from '../../upstream/body/read-body.ts';

/** One page of a catalog or of a tag list. */
export interface RegistryLists {
  repositories: string[];
  tags: string[];
  /** Names one level below a repository; undefined: the registry does not list them (Artifact Registry does; `gcrane ls` uses it too). */
  children: string[] | undefined;
  /** Tag -> digest, where the registry sends digests (Artifact Registry). */
  digests: Map<string, string>;
}

/** distribution writes null for an empty list. */
const list = z.array(z.unknown()).nullish();
const page = z.object({ repositories: list, tags: list, errors: z.undefined().optional() }).loose();

/**
 * Parses a catalog or a tag list; malformed names are skipped.
 * @returns undefined: this is no such list, for example an HTML page, which must not count as an empty registry
 */
export function parseLists(body: Buffer): RegistryLists | undefined {
  const { data } = page.safeParse(parseJson(body));
  return (
    data && {
      repositories: stringsIn(data.repositories).filter(isRepository),
      tags: stringsIn(data.tags).filter(isTag),
      children: Array.isArray(data.child) ? stringsIn(data.child) : undefined,
      digests: digestsIn(data.manifest),
    }
  );
}

function stringsIn(values: readonly unknown[] | null | undefined): string[] {
  return (values ?? []).filter((one) => typeof one === 'string');
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
