import type { FoundPush, StandingPush } from '../../failover/lost-content.ts';
import { EVERY_MANIFEST } from '../../oci/manifest-type.ts';
import { isDigestOf } from '../../oci/reference.ts';
import { dropBody } from '../body/explanatory-body.ts';
import { readBody } from '../body/read-body.ts';
import type { Answer } from '../client.ts';
import { type ProbedBlob, pullScope, readRandomBytes } from './byte-range-probe.ts';
import { readProbedManifest } from './probed-manifest.ts';

/** Sends a read with the edge's own credentials. */
export type StoredRead = (
  method: 'GET' | 'HEAD',
  path: string,
  headers: Record<string, string>,
  scopes: string[],
) => Promise<Answer>;

/** How pushed images are looked for. */
export interface StoredReader {
  read: StoredRead;
  /** The credentials may open less than what was pushed. Some registries answer 404 for what they hide. */
  mayBeHidden: boolean;
}

const MAX_MANIFEST = 4_194_304;
const DENIALS = [401, 403];

/**
 * Looks for an image whose push was acknowledged: its manifest by digest and a byte of its configuration, both from storage, and then its tag.
 * A database or a cache may know content that storage has lost.
 * @throws what `read` throws
 */
export async function findStoredImage(push: StandingPush, { read, mayBeHidden }: StoredReader): Promise<FoundPush> {
  const { repository, tag, digest, overwritten } = push;
  const scopes = [pullScope(repository)];
  const manifest = await read('GET', `/v2/${repository}/manifests/${digest}`, { accept: EVERY_MANIFEST }, scopes);
  if (manifest.status !== 200) {
    await dropBody(manifest.body);
    if (DENIALS.includes(manifest.status)) return 'denied';
    if (manifest.status !== 404) return 'unclear';
    return mayBeHidden && !(await isVisible(repository, read)) ? 'denied' : 'gone';
  }
  const bytes = await readBody(manifest.body, MAX_MANIFEST);
  if (isDigestOf(digest, bytes) === false) return 'unclear';
  const { config } = readProbedManifest(bytes);
  const found = config ? await findBlob({ repository, ...config }, read) : 'there';
  if (found !== 'there') return found;
  // The tag is at a later push, so it says nothing of this one.
  return overwritten ? 'elsewhere' : findTag(`/v2/${repository}/manifests/${tag}`, digest, scopes, read);
}

/** Whether the credentials may read the repository: its list of tags shows that, even where a manifest is gone. */
async function isVisible(repository: string, read: StoredRead): Promise<boolean> {
  const path = `/v2/${repository}/tags/list?n=1`;
  const { status, body } = await read('GET', path, { accept: 'application/json' }, [pullScope(repository)]);
  await dropBody(body);
  return status === 200;
}

async function findBlob(blob: ProbedBlob, read: StoredRead): Promise<FoundPush> {
  const get = (path: string, headers: Record<string, string>) =>
    read('GET', path, headers, [pullScope(blob.repository)]);
  const { state, status } = await readRandomBytes(blob, get, 'a pushed blob');
  if (state === 'good') return 'there';
  return status === 404 ? 'gone' : 'unclear';
}

async function findTag(path: string, digest: string, scopes: string[], read: StoredRead): Promise<FoundPush> {
  let answer = await read('HEAD', path, { accept: EVERY_MANIFEST }, scopes);
  await dropBody(answer.body);
  // Artifact Registry has answered 405.
  if (answer.status === 405) {
    answer = await read('GET', path, { accept: EVERY_MANIFEST }, scopes);
    await dropBody(answer.body);
  }
  if (answer.status === 404) return 'elsewhere';
  const shown = answer.headers.get('docker-content-digest');
  if (answer.status !== 200 || shown === undefined) return 'unclear';
  return shown === digest ? 'there' : 'elsewhere';
}
