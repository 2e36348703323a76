import { isDigest, isRepository, isTag } from '../../oci/reference.ts';
import { parseJson, readBody } from '../../upstream/body/read-body.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';
import { AbortLink } from './abort-link.ts';
import { MAX_ERROR_BYTES, registryFailure } from './registry-failure.ts';
import type { RegistryRequests } from './registry-requests.ts';

/** Harbor's greatest page size. */
const PAGE_SIZE = 100;
/** Bound for one list, in case its pages never end. */
const MAX_PAGES = 100_000;
/** An artifact comes with its whole configuration. */
const MAX_BYTES = 33_554_432;
const ANSWER_MS = 30_000;
const API = '/api/v2.0';

/**
 * Lists of Harbor's own API (api/v2.0/swagger.yaml): repositories, because only administrators can read `_catalog`, and digests with their
 * tags. Harbor leaves out accessories such as cosign's signatures, so the tags themselves come from the registry API.
 */
export class HarborLists {
  readonly #registry: RegistryRequests;

  constructor(registry: RegistryRequests) {
    this.#registry = registry;
  }

  /**
   * All repositories that these credentials can see. With wrong or ended credentials Harbor answers 200 with the public repositories. So
   * Harbor is asked first whether it knows the account.
   * @returns undefined: Harbor gives no list
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async repositories(signal: AbortSignal): Promise<AsyncIterable<string> | undefined> {
    await this.#checkAccount(signal);
    const path = `${API}/repositories?sort=name`;
    const first = await this.#page(path, 1, signal);
    return first && first.length > 0 ? this.#names(path, first, signal) : undefined;
  }

  /**
   * Digests of tags, and when each tag was pushed, in epoch milliseconds; accessories are left out. The push time is that of the tag: also
   * a tag that is put on an older artifact gets a new one.
   * @returns undefined: Harbor gives no list
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async tags(
    repository: string,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, { digest: string; at: number | undefined }> | undefined> {
    const [project = '', ...rest] = repository.split('/');
    // Encoded twice: once for the path, once for Harbor's own decoding.
    const name = encodeURIComponent(encodeURIComponent(rest.join('/')));
    const path = `${API}/projects/${project}/repositories/${name}/artifacts?with_tag=true&q=tags%3D*&sort=digest`;
    const first = rest.length > 0 ? await this.#page(path, 1, signal) : undefined;
    if (!first) return undefined;
    const found = new Map<string, { digest: string; at: number | undefined }>();
    for await (const artifact of this.#entries(path, first, signal)) {
      const { digest, tags } = fieldsOf(artifact);
      if (typeof digest !== 'string' || !isDigest(digest) || !Array.isArray(tags)) continue;
      for (const tag of tags) {
        const { name, push_time } = fieldsOf(tag);
        if (typeof name === 'string' && isTag(name)) found.set(name, { digest, at: pushTime(push_time) });
      }
    }
    return found;
  }

  async #checkAccount(signal: AbortSignal): Promise<void> {
    const { name, connection } = this.#registry;
    try {
      await AbortLink.withTimeout(signal, ANSWER_MS, (soon) => connection.checkKnownToHarbor(soon));
    } catch (error) {
      if (signal.aborted || asUpstreamError(error).reason !== 'credentials') throw error;
      throw new CopyError(
        `${name} does not accept the credentials for copies, so it would list public repositories only; renew them`,
        { cause: error },
      );
    }
  }

  async *#names(path: string, first: unknown[], signal: AbortSignal): AsyncGenerator<string> {
    for await (const entry of this.#entries(path, first, signal)) {
      const { name } = fieldsOf(entry);
      if (typeof name === 'string' && isRepository(name)) yield name;
    }
  }

  async *#entries(path: string, first: unknown[], signal: AbortSignal): AsyncGenerator<unknown> {
    let entries = first;
    for (let page = 2; ; page += 1) {
      yield* entries;
      if (entries.length < PAGE_SIZE || page > MAX_PAGES) return;
      const next = await this.#page(path, page, signal);
      if (!next) throw new CopyError(`${this.#registry.name} stopped listing at page ${page} of ${path.split('?')[0]}`);
      entries = next;
    }
  }

  /** @returns undefined: these credentials get no list */
  #page(path: string, page: number, signal: AbortSignal): Promise<unknown[] | undefined> {
    const { name, connection, retryPolicy } = this.#registry;
    const headers = { accept: 'application/json', 'accept-encoding': 'identity' };
    const at = `${path}&page=${page}&page_size=${PAGE_SIZE}`;
    const ask = async (soon: AbortSignal) => {
      const call = { method: 'GET', path: at, headers, scopes: [], signal: soon, redirects: 'pass' } as const;
      const answer = await connection.sendApi(call, 'own');
      const body = await readBody(answer.body, answer.status === 200 ? MAX_BYTES : MAX_ERROR_BYTES);
      if (answer.status === 200) return parseList(body);
      const failure = registryFailure(answer, `${name} fails ${path.split('?')[0]}`);
      // Harbor's own API answers 401 without a challenge.
      if (failure.retryable && answer.status !== 401) throw failure;
      return undefined;
    };
    // Harbor limits its own API as a whole.
    return retryPolicy.run('', signal, () => AbortLink.withTimeout(signal, ANSWER_MS, ask));
  }
}

/** Go writes a time that was never set as the year 1. */
function pushTime(text: unknown): number | undefined {
  const at = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return at > 0 ? at : undefined;
}

/** Harbor may write an empty list as null. */
function parseList(body: Buffer): unknown[] | undefined {
  const content = parseJson(body);
  if (content === null) return [];
  return Array.isArray(content) ? content : undefined;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
