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
  /** Tag -> when its manifest was uploaded, in epoch milliseconds, where the registry tells (Artifact Registry). */
  uploads: Map<string, number>;
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
      ...manifestsIn(data.manifest),
    }
  );
}

function stringsIn(values: readonly unknown[] | null | undefined): string[] {
  return (values ?? []).filter((one) => typeof one === 'string');
}

/** Artifact Registry's `manifest`: digest -> { tag: [...], timeUploadedMs: "..." }. */
function manifestsIn(manifest: unknown): Pick<RegistryLists, 'digests' | 'uploads'> {
  const [digests, uploads] = [new Map<string, string>(), new Map<string, number>()];
  if (typeof manifest !== 'object' || manifest === null) return { digests, uploads };
  for (const [digest, about] of Object.entries(manifest)) {
    const { tag: tags, timeUploadedMs } = typeof about === 'object' && about !== null ? fieldsOf(about) : {};
    if (!isDigest(digest) || !Array.isArray(tags)) continue;
    const uploaded =
      typeof timeUploadedMs === 'string' && /^\d{1,15}$/.test(timeUploadedMs) ? Number(timeUploadedMs) : 0;
    for (const tag of tags) {
      if (typeof tag !== 'string') continue;
      digests.set(tag, digest);
      if (uploaded > 0) uploads.set(tag, uploaded);
    }
  }
  return { digests, uploads };
}

function fieldsOf(value: object): Record<string, unknown> {
  return { ...value };
}
