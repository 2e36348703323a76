import type { Sight } from '../../failover/proof.ts';
import { contentProblem, isEmptyList } from '../../oci/answer-content.ts';
import { parseJson, readBody } from '../body/read-body.ts';
import { type ProbeGet, pullScope } from './byte-range-probe.ts';
import { Canary } from './canary.ts';

const JSON_TYPE = { accept: 'application/json' };
const MAX_LIST = 1_048_576;
/** Images that Harbor lists and that are read, until one can be read. A single image may be broken. */
const MAX_IMAGES = 3;
const EMPTY = 'it lists no repositories';

/** Who looks. */
export interface Looker {
  /** Whether Harbor lists to these credentials all that clients may see. */
  listsAll: boolean;
  /** The probe has no credentials. No token service gives the catalog to strangers, so none is asked. */
  anonymous: boolean;
}

/**
 * Looks whether a registry shows any content, with the credentials of the probe. The catalog of a registry comes from its storage. Harbor's
 * lists come from its database, so one of the listed images is read.
 * @throws UpstreamError, or the signal's reason, if the registry does not answer
 */
export async function lookForContent(kind: 'registry' | 'harbor', get: ProbeGet, looker: Looker): Promise<Sight> {
  return kind === 'harbor' ? lookAtHarbor(get, looker) : lookAtCatalog(get, looker);
}

async function lookAtCatalog(get: ProbeGet, { anonymous }: Looker): Promise<Sight> {
  const { status, body } = await read(get, '/v2/_catalog?n=1', anonymous ? 'api' : ['registry:catalog:*']);
  if (status !== 200) return { kind: 'unclear', reason: `its catalog answers ${status}` };
  if (contentProblem('catalog', body) !== undefined) return { kind: 'unclear', reason: 'its catalog is no list' };
  return isEmptyList('catalog', body) ? { kind: 'empty', reason: EMPTY } : { kind: 'content' };
}

async function lookAtHarbor(get: ProbeGet, { listsAll }: Looker): Promise<Sight> {
  const path = `/api/v2.0/repositories?page=1&page_size=${MAX_IMAGES}&sort=-update_time`;
  const { status, body } = await read(get, path, 'api');
  const listed = status === 200 ? namesIn(body) : undefined;
  if (listed === undefined) return { kind: 'unclear', reason: `Harbor's list of repositories answers ${status}` };
  if (listed.length > 0) return readOneOf(listed, get);
  // To wrong credentials Harbor answers with an empty list.
  if (!listsAll || (await read(get, '/v2/', 'api')).status !== 200)
    return { kind: 'unclear', reason: 'Harbor lists nothing to the credentials of the probe' };
  return { kind: 'empty', reason: EMPTY };
}

/** Reads one of the images that Harbor lists. A denied read shows nothing. */
async function readOneOf(repositories: readonly string[], get: ProbeGet): Promise<Sight> {
  let unreadable: string | undefined;
  let denied = false;
  for (const repository of repositories) {
    const { status, body } = await read(get, `/v2/${repository}/tags/list?n=1`, [pullScope(repository)]);
    const tag = status === 200 ? firstTag(body) : undefined;
    if (status === 404) unreadable ??= repository;
    if (tag === undefined) continue;
    const { state, reason, retryAfterMs } = await new Canary(`${repository}:${tag}`).read(get);
    if (state === 'good') return { kind: 'content' };
    if (state === 'none' || retryAfterMs !== undefined || /answers 40[13]/.test(reason)) denied = true;
    else unreadable ??= `${repository}:${tag}`;
  }
  if (denied) return { kind: 'unclear', reason: 'the probe cannot read the images that Harbor lists' };
  if (unreadable === undefined) return { kind: 'unclear', reason: 'the images that Harbor lists have no tags' };
  return { kind: 'empty', reason: `it lists ${unreadable}, but cannot read it` };
}

async function read(get: ProbeGet, path: string, scopes: string[] | 'api'): Promise<{ status: number; body: Buffer }> {
  const answer = await get(path, JSON_TYPE, scopes);
  return { status: answer.status, body: await readBody(answer.body, MAX_LIST) };
}

/** Names of repositories in Harbor's list, which is null if it is empty. Undefined: this is no list. */
function namesIn(body: Buffer): string[] | undefined {
  const content = parseJson(body);
  if (content === null) return [];
  if (!Array.isArray(content)) return undefined;
  return content.flatMap((entry: { name?: unknown } | null) => (typeof entry?.name === 'string' ? [entry.name] : []));
}

function firstTag(body: Buffer): string | undefined {
  const content = parseJson(body);
  if (typeof content !== 'object' || content === null || !('tags' in content) || !Array.isArray(content.tags))
    return undefined;
  const [tag]: unknown[] = content.tags;
  return typeof tag === 'string' ? tag : undefined;
}
