import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import type { StoredRepository } from './store.ts';

const REFERRERS = 'application/vnd.oci.image.index.v1+json';

/** GET `_catalog`, of the repositories that hold a manifest. */
export function serveCatalog(exchange: Exchange): void {
  const names = [...exchange.store.repositories].flatMap(([name, { manifests }]) => (manifests.size > 0 ? name : []));
  const page = paged(exchange, names);
  exchange.json(200, { repositories: page.entries }, page.headers);
}

/** GET `tags/list`. */
export function serveTags(exchange: Exchange, repository: string): void {
  const known = exchange.store.repositories.get(repository);
  const isArtifactRegistry = exchange.behaviour.uploads === 'artifact-registry';
  const children = isArtifactRegistry ? childrenOf(exchange, repository) : [];
  if (children.length > 0 && !known?.manifests.size) {
    exchange.json(200, { child: children, manifest: {}, name: repository, tags: [] });
    return;
  }
  if (!known?.manifests.size) throw new LabError(404, 'NAME_UNKNOWN', 'repository name not known to registry');
  if (isArtifactRegistry) {
    exchange.json(200, {
      child: children,
      manifest: manifestsOf(known),
      name: repository,
      tags: [...known.tags.keys()].sort(),
    });
    return;
  }
  const page = paged(exchange, [...known.tags.keys()]);
  exchange.json(200, { name: repository, tags: page.entries }, page.headers);
}

/** Names one level below a repository, which Artifact Registry lists. */
function childrenOf({ store }: Exchange, repository: string): string[] {
  const below = [...store.repositories].flatMap(([name, { manifests }]) =>
    manifests.size > 0 && name.startsWith(`${repository}/`) ? name.slice(repository.length + 1).split('/')[0] : [],
  );
  return [...new Set(below)].flatMap((name) => name ?? []).sort();
}

/** What Artifact Registry tells of each manifest, in a list without pages. */
function manifestsOf({ manifests, tags }: StoredRepository): Record<string, unknown> {
  const tagsOf = (digest: string) => [...tags].flatMap(([tag, at]) => (at === digest ? tag : []));
  return Object.fromEntries(
    [...manifests].map(([digest, { bytes, mediaType, uploadedAt }]) => [
      digest,
      {
        imageSizeBytes: String(bytes.length),
        layerId: '',
        mediaType,
        tag: tagsOf(digest),
        timeCreatedMs: '0',
        timeUploadedMs: String(uploadedAt ?? 0),
      },
    ]),
  );
}

/** GET `referrers/<digest>`: an index, empty where there are none. A registry without that endpoint answers as docker-registry 2.8. */
export function serveReferrers(exchange: Exchange, repository: string, subject: string): void {
  if (!exchange.behaviour.referrers) {
    exchange.reply(404, { 'content-type': 'text/plain; charset=utf-8' }, '404 page not found\n');
    return;
  }
  const wanted = exchange.query.get('artifactType');
  const manifests = exchange.store.repositories.get(repository)?.manifests ?? new Map<string, never>();
  const found = new Map(
    [...manifests]
      .filter(([, manifest]) => manifest.subject === subject && (!wanted || manifest.artifactType === wanted))
      .map(([digest, { mediaType, artifactType, annotations, bytes }]) => [
        digest,
        { mediaType, digest, size: bytes.length, artifactType, annotations },
      ]),
  );
  const page = paged(exchange, [...found.keys()]);
  const descriptors = page.entries.map((digest) => found.get(digest));
  exchange.json(
    200,
    { schemaVersion: 2, mediaType: REFERRERS, manifests: descriptors },
    { ...page.headers, 'content-type': REFERRERS, ...(wanted ? { 'oci-filters-applied': 'artifactType' } : {}) },
  );
}

/** One page of the sorted entries after `last`, at most `n` of them, with a Link to the next. */
function paged(exchange: Exchange, entries: string[]): { entries: string[]; headers: Record<string, string> } {
  const { path, query } = exchange;
  const asked = query.get('n');
  if (asked !== null && !/^\d{1,9}$/.test(asked))
    throw new LabError(400, 'PAGINATION_NUMBER_INVALID', 'n is a number that is not negative');
  const size = Math.min(asked === null ? Number.POSITIVE_INFINITY : Number(asked), exchange.behaviour.pageSize);
  const last = query.get('last') ?? '';
  const rest = entries.sort().filter((entry) => entry > last);
  const page = rest.slice(0, size);
  const end = page.at(-1);
  if (end === undefined || page.length === rest.length) return { entries: page, headers: {} };
  const next = new URLSearchParams(query);
  next.set('n', String(size));
  next.set('last', end);
  return { entries: page, headers: { link: `<${exchange.locate(`${path}?${next}`)}>; rel="next"` } };
}
