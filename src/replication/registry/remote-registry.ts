import { hash } from 'node:crypto';
import { nextPageQuery } from '../../oci/link.ts';
import { type Descriptor, MANIFEST_TYPES, readManifestContent } from '../../oci/manifest-content.ts';
import { isDigest } from '../../oci/reference.ts';
import type { Connection } from '../../upstream/connection.ts';
import { CopyError } from '../copy-error.ts';
import { HarborLists } from './harbor-lists.ts';
import type { FailedAnswer } from './registry-failure.ts';
import { parseLists, type RegistryLists } from './registry-lists.ts';
import { type RegistryReply, RegistryRequests } from './registry-requests.ts';
import { RetryPolicy } from './retry-policy.ts';

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

const PAGE_SIZE = 1000;
/** Of one list; a registry whose pages never end is not read for ever. */
const MAX_PAGES = 10_000;
const MAX_LIST_BYTES = 67_108_864;
const MAX_MANIFEST_BYTES = 67_108_864;
const ACCEPT = MANIFEST_TYPES.join(', ');
/** Answers to a registry's list of referrers that mean it has none of those lists. */
const REFERRERS_UNSUPPORTED = [400, 404, 405, 501];
/** For how long that is taken for granted, in milliseconds: a registry may be brought up to date. */
const REFERRERS_CHECK_MS = 600_000;

/** One registry as copying sees it: everything in its own names, with the edge's own credentials. */
export class RemoteRegistry {
  /** As messages call it. */
  readonly name: string;
  readonly connection: Connection;
  readonly retryPolicy: RetryPolicy;
  readonly #requests: RegistryRequests;
  readonly #harbor: HarborLists | undefined;
  /** Until when it is not asked for referrers: distribution 2.8 and others have no such list, for no repository. */
  #referrersUnsupportedUntil = 0;
  /** Until when it is known to have them. */
  #referrersSupportedUntil = 0;

  constructor(name: string, connection: Connection, retryPolicy = new RetryPolicy()) {
    this.name = name;
    this.connection = connection;
    this.retryPolicy = retryPolicy;
    this.#requests = new RegistryRequests(name, connection, retryPolicy);
    this.#harbor = connection.kind === 'harbor' ? new HarborLists({ name, connection, retryPolicy }) : undefined;
  }

  /** All repositories, page by page. @throws CopyError, UpstreamError */
  async *repositories(signal: AbortSignal): AsyncGenerator<string> {
    const listed = await this.#harbor?.repositories(signal);
    if (listed) {
      yield* listed;
      return;
    }
    let last = '';
    for await (const reply of this.#pages('/v2/_catalog', ['registry:catalog:*'], signal)) {
      const { repositories } = this.#parseLists(reply, 'does not list its repositories');
      yield* repositories;
      // One that repeats itself would be read for ever.
      if (repositories.at(-1) === last) return;
      last = repositories.at(-1) ?? last;
    }
  }

  /** The tags of a repository, none if there is no such repository. @throws CopyError, UpstreamError */
  async tags(repository: string, signal: AbortSignal): Promise<RemoteTag[]> {
    const found = new Map<string, string | undefined>();
    for await (const reply of this.#pages(`/v2/${repository}/tags/list`, [pullScope(repository)], signal)) {
      if (reply.status === 404 && found.size === 0) break;
      const { tags, digests } = this.#parseLists(reply, `does not list the tags of ${repository}`);
      const before = found.size;
      for (const tag of tags) found.set(tag, digests.get(tag));
      if (tags.length > 0 && found.size === before) break;
    }
    const told = found.size > 1 ? await this.#harbor?.digests(repository, signal) : undefined;
    return [...found].map(([tag, digest]) => ({ tag, digest: digest ?? told?.get(tag) }));
  }

  /** Whether a repository has no tag, or is none. @throws CopyError, UpstreamError */
  async isEmpty(repository: string, signal: AbortSignal): Promise<boolean> {
    const request = { scopes: [pullScope(repository)], maxBytes: MAX_LIST_BYTES };
    const reply = await this.#requests.read(`/v2/${repository}/tags/list?n=1`, request, signal);
    if (reply.status === 404) return true;
    return this.#parseLists(reply, `does not list the tags of ${repository}`).tags.length === 0;
  }

  /** Digest of a tag; undefined: there is none. @throws CopyError, UpstreamError */
  async resolveDigest(repository: string, reference: string, signal: AbortSignal): Promise<string | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const scopes = [pullScope(repository)];
    const reply = await this.#requests.read(path, { method: 'HEAD', scopes, accept: ACCEPT }, signal);
    const digest = reply.headers.get('docker-content-digest');
    if (reply.status === 200 && digest !== undefined && isDigest(digest)) return digest;
    if (reply.status === 404) return undefined;
    // Artifact Registry has answered 405; others tell no digest.
    if (reply.status === 200 || reply.status === 405) {
      const manifest = await this.manifest(repository, reference, signal);
      return manifest && sha256(manifest.bytes);
    }
    throw this.failure(reply, `does not tell of ${imageName(repository, reference)}`);
  }

  /** Undefined: there is none. @throws CopyError, UpstreamError */
  async manifest(repository: string, reference: string, signal: AbortSignal): Promise<RemoteManifest | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const request = { scopes: [pullScope(repository)], accept: ACCEPT, maxBytes: MAX_MANIFEST_BYTES };
    const reply = await this.#requests.read(path, request, signal);
    if (reply.status === 404) return undefined;
    const what = `does not give the manifest ${imageName(repository, reference)}`;
    if (reply.status !== 200) throw this.failure(reply, what);
    const encoding = reply.headers.get('content-encoding') ?? 'identity';
    if (encoding !== 'identity') throw new CopyError(`${this.name} ${what} as it is, but in the encoding ${encoding}`);
    return { bytes: reply.body, mediaType: reply.headers.get('content-type') };
  }

  /** @throws CopyError, UpstreamError */
  async hasBlob(repository: string, digest: string, signal: AbortSignal): Promise<boolean> {
    const path = `/v2/${repository}/blobs/${digest}`;
    const reply = await this.#requests.read(path, { method: 'HEAD', scopes: [pullScope(repository)] }, signal);
    if (reply.status === 200 || reply.status === 404) return reply.status === 200;
    throw this.failure(reply, `does not tell of a blob of ${repository}`);
  }

  /** Manifests that say they are about this one; none where the registry has no such list. @throws CopyError, UpstreamError */
  async referrers(repository: string, digest: string, signal: AbortSignal): Promise<Descriptor[]> {
    const found: Descriptor[] = [];
    if (Date.now() < this.#referrersUnsupportedUntil) return found;
    const path = `/v2/${repository}/referrers/${digest}`;
    for await (const reply of this.#pages(path, [pullScope(repository)], signal, {})) {
      if (REFERRERS_UNSUPPORTED.includes(reply.status))
        this.#referrersUnsupportedUntil = Date.now() + REFERRERS_CHECK_MS;
      else if (reply.status !== 200) throw this.failure(reply, `does not list what refers to ${repository}@${digest}`);
      // Some answer any path with a page for people.
      const content =
        reply.status === 200 ? readManifestContent(reply.body, reply.headers.get('content-type')) : undefined;
      if (content && 'children' in content) this.#referrersSupportedUntil = Date.now() + REFERRERS_CHECK_MS;
      const more = content && 'children' in content ? content.children : [];
      if (more.length === 0) break;
      found.push(...more);
    }
    return found;
  }

  /** Whether it tells what refers to a manifest. @throws CopyError, UpstreamError */
  async supportsReferrers(repository: string, digest: string, signal: AbortSignal): Promise<boolean> {
    if (Date.now() >= Math.max(this.#referrersUnsupportedUntil, this.#referrersSupportedUntil))
      await this.referrers(repository, digest, signal);
    return Date.now() < this.#referrersSupportedUntil;
  }

  /** Puts a manifest under a tag or its digest. @throws CopyError, UpstreamError */
  async putManifest(
    repository: string,
    reference: string,
    { bytes, mediaType }: RemoteManifest,
    signal: AbortSignal,
  ): Promise<void> {
    const what = `does not take the manifest ${imageName(repository, reference)}`;
    const headers = { 'content-type': mediaType ?? MANIFEST_TYPES[0] ?? '' };
    const request = {
      method: 'PUT',
      scopes: [pushScope(repository)],
      headers,
      body: bytes,
      failureText: what,
    } as const;
    const reply = await this.#requests.write(`/v2/${repository}/manifests/${reference}`, request, signal);
    const kept = reply.headers.get('docker-content-digest');
    // One that converts what it is given would never be in step.
    if (kept?.startsWith('sha256:') && kept !== sha256(bytes) && (!reference.includes(':') || kept !== reference))
      throw new CopyError(`${this.name} ${what} as it is: it makes ${kept} of it`);
  }

  /** Deletes a tag, or a manifest by digest; that there is none is fine. @throws CopyError, UpstreamError */
  async deleteManifest(repository: string, reference: string, signal: AbortSignal): Promise<void> {
    const scopes = [`repository:${repository}:delete`, pullScope(repository)];
    const what = `does not delete ${imageName(repository, reference)}`;
    const request = { method: 'DELETE', scopes, failureText: what, alsoAccepted: [404] } as const;
    await this.#requests.write(`/v2/${repository}/manifests/${reference}`, request, signal);
  }

  /** What an answer means that is not as it should be. @param errorMessage what the registry told, if it did */
  failure(answer: FailedAnswer, what: string, errorMessage = ''): CopyError {
    return this.#requests.failure(answer, what, errorMessage);
  }

  #parseLists(reply: RegistryReply, what: string): RegistryLists {
    const lists = reply.status === 200 ? parseLists(reply.body) : undefined;
    if (lists) return lists;
    throw this.failure(reply, what, reply.status === 200 ? 'what it answers is no list' : '');
  }

  /** A list that goes on as its Link headers say. */
  async *#pages(
    path: string,
    scopes: readonly string[],
    signal: AbortSignal,
    first: Record<string, string> = { n: String(PAGE_SIZE) },
  ): AsyncGenerator<RegistryReply> {
    let query: URLSearchParams | undefined = new URLSearchParams(first);
    for (let pages = 0; query; pages += 1) {
      if (pages >= MAX_PAGES) throw new CopyError(`${this.name} has no end of ${path}`);
      const asked = query.size > 0 ? `${path}?${query}` : path;
      const reply: RegistryReply = await this.#requests.read(asked, { scopes, maxBytes: MAX_LIST_BYTES }, signal);
      yield reply;
      const next = nextPageQuery(reply.headers.joined('link'));
      query = String(next) === String(query) ? undefined : next;
    }
  }
}

function imageName(repository: string, reference: string): string {
  return `${repository}${reference.includes(':') ? '@' : ':'}${reference}`;
}

/** Digest by which content is known that was asked for by a tag. */
export function sha256(bytes: Uint8Array): string {
  return `sha256:${hash('sha256', bytes, 'hex')}`;
}

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

export function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`;
}
