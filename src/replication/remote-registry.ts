import { hash } from 'node:crypto';
import { restMs } from '../failover/classify.ts';
import { nextPageQuery } from '../oci/link.ts';
import { type Descriptor, MANIFEST_TYPES, readManifestContent } from '../oci/manifest-content.ts';
import { isDigest } from '../oci/reference.ts';
import { readBody } from '../upstream/body.ts';
import type { Answer } from '../upstream/client.ts';
import type { Connection } from '../upstream/connection.ts';
import { CopyError } from './copy-error.ts';
import { Patience } from './patience.ts';
import { saidBy } from './registry-answer.ts';
import { readLists } from './registry-lists.ts';

/** A manifest, byte for byte. */
export interface RemoteManifest {
  bytes: Buffer;
  mediaType: string | undefined;
}

/** The tags of a repository; `digest` where the registry tells it with the list (Artifact Registry). */
export interface RemoteTag {
  tag: string;
  digest: string | undefined;
}

const PAGE = 1000;
const MAX_LIST = 67_108_864;
const MAX_MANIFEST = 67_108_864;
const MAX_ERROR = 16_384;
/** Milliseconds for an answer with a small body. */
const ANSWER_MS = 30_000;
const ACCEPT = MANIFEST_TYPES.join(', ');

/** One registry as copying sees it: everything in its own names, with the edge's own credentials. */
export class RemoteRegistry {
  /** As messages call it. */
  readonly name: string;
  readonly connection: Connection;
  readonly patience: Patience;
  /** distribution 2.8 and others have no such list, for no repository. */
  #listsNoReferrers = false;

  constructor(name: string, connection: Connection, patience = new Patience()) {
    this.name = name;
    this.connection = connection;
    this.patience = patience;
  }

  /** All repositories, page by page. @throws CopyError, UpstreamError */
  async *repositories(signal: AbortSignal): AsyncGenerator<string> {
    let query: URLSearchParams | undefined = new URLSearchParams({ n: String(PAGE) });
    let last = '';
    while (query) {
      const path = `/v2/_catalog?${query}`;
      const answer = await this.#read(path, ['registry:catalog:*'], signal);
      if (answer.status !== 200) throw this.failure(answer.status, answer.retryAfter, 'does not list its repositories');
      const names = readLists(answer.body).repositories;
      yield* names;
      const next: URLSearchParams | undefined = names.length > 0 ? nextPageQuery(answer.link) : undefined;
      // One that repeats itself would be read for ever.
      const at = next?.get('last') ?? names.at(-1) ?? '';
      query = at === last ? undefined : next;
      last = at;
    }
  }

  /** The tags of a repository, none if there is no such repository. @throws CopyError, UpstreamError */
  async tags(repository: string, signal: AbortSignal): Promise<RemoteTag[]> {
    const found = new Map<string, string | undefined>();
    let query: URLSearchParams | undefined = new URLSearchParams({ n: String(PAGE) });
    while (query) {
      const answer = await this.#read(`/v2/${repository}/tags/list?${query}`, [pullOf(repository)], signal);
      if (answer.status === 404) break;
      if (answer.status !== 200)
        throw this.failure(answer.status, answer.retryAfter, `does not list the tags of ${repository}`);
      const { tags, digests } = readLists(answer.body);
      const before = found.size;
      for (const tag of tags) found.set(tag, digests.get(tag));
      query = found.size > before ? nextPageQuery(answer.link) : undefined;
    }
    return [...found].map(([tag, digest]) => ({ tag, digest }));
  }

  /** Digest of a tag; undefined: there is none. @throws CopyError, UpstreamError */
  async digestOf(repository: string, reference: string, signal: AbortSignal): Promise<string | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const answer = await this.#ask('HEAD', path, [pullOf(repository)], { accept: ACCEPT }, signal);
    const digest = answer.headers.get('docker-content-digest');
    if (answer.status === 200 && digest !== undefined && isDigest(digest)) return digest;
    if (answer.status === 404) return undefined;
    // Artifact Registry has answered 405; others tell no digest.
    if (answer.status === 200 || answer.status === 405) {
      const manifest = await this.manifest(repository, reference, signal);
      return manifest && sha256(manifest.bytes);
    }
    throw this.failure(answer.status, answer.headers.get('retry-after'), `does not tell of ${repository}:${reference}`);
  }

  /** Undefined: there is none. @throws CopyError, UpstreamError */
  async manifest(repository: string, reference: string, signal: AbortSignal): Promise<RemoteManifest | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const answer = await this.#read(path, [pullOf(repository)], signal, ACCEPT, MAX_MANIFEST);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200)
      throw this.failure(answer.status, answer.retryAfter, `does not give the manifest ${repository}:${reference}`);
    return { bytes: answer.body, mediaType: answer.mediaType };
  }

  /** @throws CopyError, UpstreamError */
  async hasBlob(repository: string, digest: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#ask('HEAD', `/v2/${repository}/blobs/${digest}`, [pullOf(repository)], {}, signal);
    if (answer.status === 200 || answer.status === 404) return answer.status === 200;
    throw this.failure(answer.status, answer.headers.get('retry-after'), `does not tell of a blob of ${repository}`);
  }

  /** Manifests that say they are about this one; none where the registry has no such list. @throws CopyError, UpstreamError */
  async referrers(repository: string, digest: string, signal: AbortSignal): Promise<Descriptor[]> {
    if (this.#listsNoReferrers) return [];
    const answer = await this.#read(`/v2/${repository}/referrers/${digest}`, [pullOf(repository)], signal);
    const content = answer.status === 200 ? readManifestContent(answer.body, answer.mediaType) : undefined;
    if (answer.status === 404) this.#listsNoReferrers = true;
    return content && 'children' in content ? content.children : [];
  }

  /** Puts a manifest under a tag or its digest. @throws CopyError, UpstreamError */
  async putManifest(
    repository: string,
    reference: string,
    { bytes, mediaType }: RemoteManifest,
    signal: AbortSignal,
  ): Promise<void> {
    await this.patience.with(signal, async () => {
      const answer = await this.connection.write({
        method: 'PUT',
        at: `/v2/${repository}/manifests/${reference}`,
        headers: { 'content-type': mediaType ?? MANIFEST_TYPES[0] ?? '', 'content-length': String(bytes.length) },
        body: bytes,
        scopes: [pushOf(repository)],
        signal: soon(signal),
      });
      const said = await saidBy(answer);
      if (answer.status < 200 || answer.status > 299)
        throw this.failure(
          answer.status,
          answer.headers.get('retry-after'),
          `does not take the manifest ${repository}:${reference}`,
          said,
        );
    });
  }

  /** Deletes a tag, or a manifest by digest; that there is none is fine. @throws CopyError, UpstreamError */
  async deleteManifest(repository: string, reference: string, signal: AbortSignal): Promise<void> {
    await this.patience.with(signal, async () => {
      const at = `/v2/${repository}/manifests/${reference}`;
      const scopes = [`repository:${repository}:delete`, pullOf(repository)];
      const answer = await this.connection.write({ method: 'DELETE', at, headers: {}, scopes, signal: soon(signal) });
      const said = await saidBy(answer);
      if (answer.status !== 404 && (answer.status < 200 || answer.status > 299))
        throw this.failure(
          answer.status,
          answer.headers.get('retry-after'),
          `does not delete ${repository}:${reference}`,
          said,
        );
    });
  }

  /** What an answer means that is not as it should be. @param said what the registry told, if it did */
  failure(status: number, retryAfter: string | undefined, what: string, said = ''): CopyError {
    const message = `${this.name} ${what} (${status}${said === '' ? '' : `: ${said}`})`;
    const passing = status === 429 || status >= 500 || status === 408;
    const asksForRest = status === 429 || (status === 503 && retryAfter !== undefined);
    return new CopyError(message, { passing, ...(asksForRest ? { restMs: restMs(retryAfter, Date.now()) } : {}) });
  }

  async #read(
    path: string,
    scopes: readonly string[],
    signal: AbortSignal,
    accept = 'application/json',
    max = MAX_LIST,
  ): Promise<{
    status: number;
    body: Buffer;
    link: string | undefined;
    mediaType: string | undefined;
    retryAfter: string | undefined;
  }> {
    return this.patience.with(signal, async () => {
      const answer = await this.connection.send(this.#call('GET', path, scopes, { accept }, signal));
      const { headers, status } = answer;
      const body = await readBody(answer.body, status === 200 ? max : MAX_ERROR);
      if (status === 429 || status >= 500)
        throw this.failure(status, headers.get('retry-after'), `fails ${path.split('?')[0]}`);
      return {
        status,
        body,
        link: headers.joined('link'),
        mediaType: headers.get('content-type'),
        retryAfter: headers.get('retry-after'),
      };
    });
  }

  async #ask(
    method: string,
    path: string,
    scopes: readonly string[],
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Answer> {
    return this.patience.with(signal, async () => {
      const answer = await this.connection.send(this.#call(method, path, scopes, headers, signal));
      await answer.body.dump({ limit: MAX_ERROR });
      if (answer.status === 429 || answer.status >= 500)
        throw this.failure(answer.status, answer.headers.get('retry-after'), `fails ${path}`);
      return answer;
    });
  }

  #call(method: string, path: string, scopes: readonly string[], headers: Record<string, string>, signal: AbortSignal) {
    return { method, path, headers, scopes, signal: soon(signal), redirects: 'follow' as const };
  }
}

/** Digest by which content is known that was asked for by a tag. */
export function sha256(bytes: Uint8Array): string {
  return `sha256:${hash('sha256', bytes, 'hex')}`;
}

export function pullOf(repository: string): string {
  return `repository:${repository}:pull`;
}

export function pushOf(repository: string): string {
  return `repository:${repository}:pull,push`;
}

function soon(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
}
