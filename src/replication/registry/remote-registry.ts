import { monotonicNow } from '../../clock/clock.ts';
import { nextPageQuery } from '../../oci/link.ts';
import { type Descriptor, MANIFEST_TYPES, readManifestContent } from '../../oci/manifest-content.ts';
import { imageName, isDigest, sha256 } from '../../oci/reference.ts';
import { REFERRERS_UNSUPPORTED } from '../../oci/referrers-list.ts';
import type { Connection } from '../../upstream/connection.ts';
import { KnownContent } from '../copy/known-content.ts';
import { CopyError } from '../copy-error.ts';
import { HarborLists } from './harbor-lists.ts';
import { parseLists, type RegistryLists } from './registry-lists.ts';
import { type RegistryReply, RegistryRequests } from './registry-requests.ts';
import type { RequestPace } from './request-pace.ts';
import { RetryPolicy } from './retry-policy.ts';

/** The exact bytes of a manifest. */
export interface RemoteManifest {
  bytes: Buffer;
  mediaType: string | undefined;
}

/** A tag of a repository; `digest` where the registry lists digests (Artifact Registry). */
export interface RemoteTag {
  tag: string;
  digest: string | undefined;
}

/** Tag -> its digest, and when the tag was pushed or its manifest uploaded, in epoch milliseconds; undefined: not told. */
export type TagTimes = ReadonlyMap<string, { digest: string; at: number | undefined }>;

const PAGE_SIZE = 1000;
/** Bound for one list, in case its pages never end. */
const MAX_PAGES = 10_000;
const MAX_LIST_BYTES = 67_108_864;
const MAX_MANIFEST_BYTES = 67_108_864;
const ACCEPT = MANIFEST_TYPES.join(', ');
/** Milliseconds for which that is remembered: a registry may be upgraded. */
const REFERRERS_CHECK_MS = 600_000;

/** One registry as replication uses it: the registry's own names, and the edge's own credentials. */
export class RemoteRegistry extends RegistryRequests {
  /** What the registry is known to have. */
  readonly knownContent = new KnownContent();
  readonly #harbor: HarborLists | undefined;
  /** Until when no referrers are requested. Distribution 2.8 and others lack the referrers API for every repository. */
  #referrersUnsupportedUntil = 0;
  /** Until when the registry is known to have the referrers API. */
  #referrersSupportedUntil = 0;

  constructor(name: string, connection: Connection, retryPolicy = new RetryPolicy()) {
    super(name, connection, retryPolicy);
    this.#harbor = connection.kind === 'harbor' ? new HarborLists(this) : undefined;
  }

  /** The same registry for copies that can be tried again later, see `RetryPolicy.forCopies`. */
  forCopies(): RemoteRegistry {
    return new RemoteRegistry(this.name, this.connection, this.retryPolicy.forCopies());
  }

  /** The same registry for looks between comparisons, whose requests keep to a pace. */
  forWatch(pace: RequestPace): RemoteRegistry {
    return new RemoteRegistry(this.name, this.connection, this.retryPolicy.paced(pace));
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
      // A registry that repeats its page would be read for ever.
      if (repositories.at(-1) === last) return;
      last = repositories.at(-1) ?? last;
    }
  }

  /** The tags of a repository; empty if the repository does not exist. @throws CopyError, UpstreamError */
  async tags(repository: string, signal: AbortSignal): Promise<RemoteTag[]> {
    const listed = await this.listTags(repository, signal);
    const told = listed.length > 1 ? await this.#harbor?.tags(repository, signal) : undefined;
    return listed.map(({ tag, digest }) => ({ tag, digest: digest ?? told?.get(tag)?.digest }));
  }

  /** The same as the registry API lists them: one request for a thousand tags, and no digests of Harbor. @throws CopyError, UpstreamError */
  async listTags(repository: string, signal: AbortSignal): Promise<RemoteTag[]> {
    const found = new Map<string, string | undefined>();
    for await (const reply of this.#pages(`/v2/${repository}/tags/list`, [pullScope(repository)], signal)) {
      if (reply.status === 404 && found.size === 0) break;
      const { tags, digests } = this.#parseLists(reply, `does not list the tags of ${repository}`);
      const before = found.size;
      for (const tag of tags) found.set(tag, digests.get(tag));
      if (tags.length > 0 && found.size === before) break;
    }
    return [...found].map(([tag, digest]) => ({ tag, digest }));
  }

  /**
   * When tags got their digests, where the registry tells: Harbor has the push of each tag, Artifact Registry the upload of the manifest.
   * The registry API has no times, and the date in an image's configuration is that of its build.
   * @throws CopyError, UpstreamError
   */
  async tagTimes(repository: string, signal: AbortSignal): Promise<TagTimes> {
    if (this.#harbor) return (await this.#harbor.tags(repository, signal)) ?? new Map();
    const { digests = new Map<string, string>(), uploads } = (await this.tagPage(repository, signal)) ?? {};
    return new Map([...digests].map(([tag, digest]) => [tag, { digest, at: uploads?.get(tag) }]));
  }

  /** The first page of a repository's tags; undefined: the repository does not exist. @throws CopyError, UpstreamError */
  async tagPage(repository: string, signal: AbortSignal, query = ''): Promise<RegistryLists | undefined> {
    const request = { scopes: [pullScope(repository)], maxBytes: MAX_LIST_BYTES };
    const reply = await this.read(`/v2/${repository}/tags/list${query}`, request, signal);
    return reply.status === 404 ? undefined : this.#parseLists(reply, `does not list the tags of ${repository}`);
  }

  /** Whether a repository has no tag or does not exist. @throws CopyError, UpstreamError */
  async isEmpty(repository: string, signal: AbortSignal): Promise<boolean> {
    const page = await this.tagPage(repository, signal, '?n=1');
    return page === undefined || page.tags.length === 0;
  }

  /** The digest of a tag; undefined: there is no such tag. @throws CopyError, UpstreamError */
  async resolveDigest(repository: string, reference: string, signal: AbortSignal): Promise<string | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const scopes = [pullScope(repository)];
    const reply = await this.read(path, { method: 'HEAD', scopes, accept: ACCEPT }, signal);
    const digest = reply.headers.get('docker-content-digest');
    if (reply.status === 200 && digest !== undefined && isDigest(digest)) return digest;
    if (reply.status === 404) return undefined;
    // Artifact Registry has answered 405; other registries leave out the digest.
    if (reply.status === 200 || reply.status === 405) {
      const manifest = await this.manifest(repository, reference, signal);
      return manifest && sha256(manifest.bytes);
    }
    throw this.failure(reply, `does not return the digest of ${imageName(repository, reference)}`);
  }

  /** Undefined: there is no such manifest. @throws CopyError, UpstreamError */
  async manifest(repository: string, reference: string, signal: AbortSignal): Promise<RemoteManifest | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const request = { scopes: [pullScope(repository)], accept: ACCEPT, maxBytes: MAX_MANIFEST_BYTES };
    const reply = await this.read(path, request, signal);
    if (reply.status === 404) return undefined;
    const what = `does not serve the manifest ${imageName(repository, reference)}`;
    if (reply.status !== 200) throw this.failure(reply, what);
    const encoding = reply.headers.get('content-encoding') ?? 'identity';
    if (encoding !== 'identity') throw new CopyError(`${this.name} ${what} as it is, but in the encoding ${encoding}`);
    return { bytes: reply.body, mediaType: reply.headers.get('content-type') };
  }

  /** @throws CopyError, UpstreamError */
  async hasBlob(repository: string, digest: string, signal: AbortSignal): Promise<boolean> {
    const path = `/v2/${repository}/blobs/${digest}`;
    const reply = await this.read(path, { method: 'HEAD', scopes: [pullScope(repository)] }, signal);
    if (reply.status === 200 || reply.status === 404) return reply.status === 200;
    throw this.failure(reply, `does not answer for a blob of ${repository}`);
  }

  /** Manifests whose subject is this digest; empty where the registry has no referrers API. @throws CopyError, UpstreamError */
  async referrers(repository: string, digest: string, signal: AbortSignal): Promise<Descriptor[]> {
    const found: Descriptor[] = [];
    if (monotonicNow() < this.#referrersUnsupportedUntil) return found;
    const path = `/v2/${repository}/referrers/${digest}`;
    for await (const reply of this.#pages(path, [pullScope(repository)], signal, {})) {
      if (REFERRERS_UNSUPPORTED.includes(reply.status)) {
        // Some registries answer 404 for a repository that does not exist, which says nothing about others.
        if (!(await this.isEmpty(repository, signal)))
          this.#referrersUnsupportedUntil = monotonicNow() + REFERRERS_CHECK_MS;
      } else if (reply.status !== 200)
        throw this.failure(reply, `does not list what refers to ${repository}@${digest}`);
      // Some registries answer unknown paths with an HTML page.
      const content =
        reply.status === 200 ? readManifestContent(reply.body, reply.headers.get('content-type')) : undefined;
      if (content && 'children' in content) this.#referrersSupportedUntil = monotonicNow() + REFERRERS_CHECK_MS;
      const more = content && 'children' in content ? content.children : [];
      if (more.length === 0) break;
      found.push(...more);
    }
    return found;
  }

  /** Whether the registry has the referrers API. @throws CopyError, UpstreamError */
  async supportsReferrers(repository: string, digest: string, signal: AbortSignal): Promise<boolean> {
    if (monotonicNow() >= Math.max(this.#referrersUnsupportedUntil, this.#referrersSupportedUntil))
      await this.referrers(repository, digest, signal);
    return monotonicNow() < this.#referrersSupportedUntil;
  }

  /** Puts a manifest under a tag or its digest. @throws CopyError, UpstreamError */
  async putManifest(
    repository: string,
    reference: string,
    { bytes, mediaType }: RemoteManifest,
    signal: AbortSignal,
  ): Promise<void> {
    const what = `refuses the manifest ${imageName(repository, reference)}`;
    const headers = { 'content-type': mediaType ?? MANIFEST_TYPES[0] ?? '' };
    const request = {
      method: 'PUT',
      scopes: [pushScope(repository)],
      headers,
      body: bytes,
      failureText: what,
    } as const;
    const reply = await this.write(`/v2/${repository}/manifests/${reference}`, request, signal);
    const kept = reply.headers.get('docker-content-digest');
    // A registry that converts manifests could never be in step with the source.
    if (kept?.startsWith('sha256:') && kept !== sha256(bytes) && (!reference.includes(':') || kept !== reference))
      throw new CopyError(`${this.name} ${what} as it is: it makes ${kept} of it`);
  }

  /** Deletes a tag, or a manifest by digest; a missing one is no error. @throws CopyError, UpstreamError */
  async deleteManifest(repository: string, reference: string, signal: AbortSignal): Promise<void> {
    const scopes = [`repository:${repository}:delete`, pullScope(repository)];
    const what = `does not delete ${imageName(repository, reference)}`;
    const request = { method: 'DELETE', scopes, failureText: what, alsoAccepted: [404] } as const;
    await this.write(`/v2/${repository}/manifests/${reference}`, request, signal);
  }

  #parseLists(reply: RegistryReply, what: string): RegistryLists {
    const lists = reply.status === 200 ? parseLists(reply.body) : undefined;
    if (lists) return lists;
    throw this.failure(reply, what, reply.status === 200 ? 'its answer is no list' : '');
  }

  /** Reads a list page by page, as its Link headers say. */
  async *#pages(
    path: string,
    scopes: readonly string[],
    signal: AbortSignal,
    first: Record<string, string> = { n: String(PAGE_SIZE) },
  ): AsyncGenerator<RegistryReply> {
    let query: URLSearchParams | undefined = new URLSearchParams(first);
    for (let pages = 0; query; pages += 1) {
      if (pages >= MAX_PAGES) throw new CopyError(`${this.name} lists ${path} without end`);
      const asked = query.size > 0 ? `${path}?${query}` : path;
      const reply: RegistryReply = await this.read(asked, { scopes, maxBytes: MAX_LIST_BYTES }, signal);
      yield reply;
      const next = nextPageQuery(reply.headers.joined('link'));
      query = String(next) === String(query) ? undefined : next;
    }
  }
}

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

export function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`;
}
