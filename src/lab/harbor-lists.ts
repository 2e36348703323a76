import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import type { StoredManifest, StoredRepository } from './store.ts';

const ARTIFACTS = /^\/api\/v2\.0\/projects\/([^/]+)\/repositories\/([^/]+)\/artifacts$/;
const MAX_PAGE = 100;

/**
 * Harbor's lists of repositories and of artifacts (api/v2.0/swagger.yaml). A wrong or ended secret gets no error, but the public
 * repositories only.
 * @param sees whether the user may pull from a repository
 * @returns whether the path is one of these lists
 */
export function serveHarborLists(exchange: Exchange, sees: (repository: string) => boolean): boolean {
  const { path } = exchange;
  if (path === '/api/v2.0/repositories') {
    // The list is read from the database.
    if (exchange.faults.isOn('databaseDown') || exchange.faults.isOn('emptyChallenge401'))
      throw new LabError(500, 'UNKNOWN', 'internal server error');
    serveRepositories(
      exchange,
      [...exchange.store.repositories].filter(([name]) => sees(name)),
    );
    return true;
  }
  const [, project = '', name = ''] = ARTIFACTS.exec(path) ?? [];
  if (project === '') return false;
  const repository = `${project}/${decodeURIComponent(decodeURIComponent(name))}`;
  if (!sees(repository)) throw new LabError(401, 'UNAUTHORIZED', 'unauthorized');
  const known = exchange.store.repositories.get(repository);
  if (!known) throw new LabError(404, 'NOT_FOUND', `repository ${repository} not found`);
  serveArtifacts(exchange, repository, known);
  return true;
}

function serveRepositories(exchange: Exchange, all: [string, StoredRepository][]): void {
  const found = all
    // Whatever has no project cannot be in Harbor.
    .filter(([name, { manifests }]) => name.includes('/') && manifests.size > 0)
    .map(([name, { manifests }], id) => ({ id, name, artifact_count: manifests.size, pull_count: 0 }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  servePage(exchange, found);
}

function serveArtifacts(exchange: Exchange, repository: string, known: StoredRepository): void {
  const { query } = exchange;
  const listed = (name: string) => ({ name, push_time: new Date(known.pushedAt.get(name) ?? 0).toISOString() });
  const tagsOf = (digest: string) => [...known.tags].flatMap(([tag, at]) => (at === digest ? tag : []));
  const found = [...known.manifests]
    .map(([digest, manifest]) => ({ digest, manifest, tags: tagsOf(digest) }))
    .filter(({ manifest, tags }) => !isAccessory(manifest, tags))
    .filter(({ tags }) => query.get('q') !== 'tags=*' || tags.length > 0)
    .sort((a, b) => (a.digest < b.digest ? -1 : 1))
    .map(({ digest, manifest, tags }, id) => ({
      id,
      type: 'IMAGE',
      repository_name: repository,
      digest,
      size: manifest.bytes.length,
      manifest_media_type: manifest.mediaType,
      tags: query.get('with_tag') === 'false' || tags.length === 0 ? null : tags.map(listed),
    }));
  servePage(exchange, found);
}

/** What Harbor lists with what it is about only: what names a subject, and cosign's signatures. */
function isAccessory({ subject }: StoredManifest, tags: readonly string[]): boolean {
  return subject !== undefined || tags.some((tag) => /^sha256-[0-9a-f]{64}\.sig$/.test(tag));
}

function servePage(exchange: Exchange, found: readonly unknown[]): void {
  const number = (name: string, preset: number) => {
    const text = exchange.query.get(name) ?? String(preset);
    if (!/^[1-9]\d{0,8}$/.test(text)) throw new LabError(422, 'UNPROCESSABLE_ENTITY', `${name} is a number above 0`);
    return Number(text);
  };
  const [page, size] = [number('page', 1), number('page_size', 10)];
  if (size > MAX_PAGE) throw new LabError(422, 'UNPROCESSABLE_ENTITY', `page_size is at most ${MAX_PAGE}`);
  exchange.json(200, found.slice((page - 1) * size, page * size), { 'x-total-count': String(found.length) });
}
