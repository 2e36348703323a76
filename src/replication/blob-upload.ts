import { Readable } from 'node:stream';
import type { Answer } from '../upstream/client.ts';
import type { UpstreamWrite } from '../upstream/upstream-write.ts';
import type { BlobSource } from './blob-source.ts';
import { CopyError } from './copy-error.ts';
import { saidBy } from './registry-answer.ts';
import { pullOf, pushOf, type RemoteRegistry } from './remote-registry.ts';
import { UploadWatch } from './upload-watch.ts';

export interface BlobUploadOptions {
  registry: RemoteRegistry;
  repository: string;
  source: BlobSource;
  /** Bytes: a longer blob goes in pieces of this size, so that it can go on where it broke off. */
  piece?: number | undefined;
}

const PIECE = 67_108_864;
/** Milliseconds for the answer to a request without a body. */
const ANSWER_MS = 30_000;
/** Milliseconds for the answer to one with a body, after its last byte: storage may have to copy a large blob. */
const COMMIT_MS = 900_000;
const TYPE = 'application/octet-stream';
const MAX_RESTARTS = 5;

/** Registries that take a blob in one piece only (Artifact Registry). */
const inOnePiece = new WeakSet<RemoteRegistry>();

/** Brings one blob to a registry (distribution-spec v1.1.1 "Pushing blobs"). */
export class BlobUpload {
  readonly #options: BlobUploadOptions;
  readonly #registry: RemoteRegistry;
  readonly #pieceBytes: number;

  constructor(options: BlobUploadOptions) {
    this.#options = options;
    this.#registry = options.registry;
    this.#pieceBytes = options.piece ?? PIECE;
  }

  /**
   * Tries to have it taken from another repository of the same registry first.
   * @param from that repository, if there is one
   * @returns whether that was enough
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async run(from: string | undefined, signal: AbortSignal): Promise<'mounted' | 'uploaded'> {
    const { source } = this.#options;
    let begun = await this.#begin(from, signal);
    for (let restarts = 0; ; restarts += 1) {
      if (begun === 'mounted') return begun;
      try {
        await this.#send(begun, signal);
        return 'uploaded';
      } catch (error) {
        signal.throwIfAborted();
        // What the source failed with is behind whatever became of the upload.
        const cause = source.failed ?? error;
        source.failed = undefined;
        if (restarts >= MAX_RESTARTS || (cause instanceof CopyError && !cause.passing)) throw cause;
        // The same patience as for anything else the registry fails: it rests as long as it asks.
        let first = true;
        begun = await this.#registry.patience.with(signal, async () => {
          if (first) {
            first = false;
            throw cause;
          }
          return this.#begin(undefined, signal);
        });
      }
    }
  }

  async #begin(from: string | undefined, signal: AbortSignal): Promise<URL | 'mounted'> {
    const { repository, source } = this.#options;
    const query = from === undefined ? '' : `?${new URLSearchParams({ mount: source.digest, from })}`;
    const scopes = [pushOf(repository), ...(from === undefined ? [] : [pullOf(from)])];
    return this.#registry.patience.with(signal, async () => {
      const at = `/v2/${repository}/blobs/uploads/${query}`;
      const headers = { 'content-length': '0' };
      const answer = await this.#write('POST', at, headers, undefined, scopes, signal);
      await this.#expect(answer, [201, 202], 'does not begin an upload');
      return answer.status === 201 && from !== undefined ? 'mounted' : this.#locationOf(answer);
    });
  }

  async #send(begun: URL, signal: AbortSignal): Promise<void> {
    const { source } = this.#options;
    if (source.size <= this.#pieceBytes || inOnePiece.has(this.#registry)) return this.#finish(begun, 0, signal);
    let [location, at] = [begun, 0];
    while (source.size - at > this.#pieceBytes) {
      const piece = await this.#piece(location, at, signal);
      if (piece === 'not in pieces') {
        inOnePiece.add(this.#registry);
        throw new CopyError(`${this.#registry.name} takes blobs in one piece only`, { passing: true });
      }
      ({ location, at } = piece);
    }
    return this.#finish(location, at, signal);
  }

  /** Sends a piece, or, if that breaks off, finds out how much of it is there. */
  async #piece(
    location: URL,
    at: number,
    signal: AbortSignal,
  ): Promise<{ location: URL; at: number } | 'not in pieces'> {
    const { source } = this.#options;
    const end = Math.min(at + this.#pieceBytes, source.size);
    const headers = { 'content-type': TYPE, 'content-length': String(end - at), 'content-range': `${at}-${end - 1}` };
    const body = source.bytes(at, end, signal);
    try {
      const answer = await this.#write('PATCH', location, headers, body, this.#scopes, signal);
      if (at === 0 && [400, 404, 405, 415, 501].includes(answer.status)) {
        await saidBy(answer);
        return 'not in pieces';
      }
      await this.#expect(answer, [202, 204], 'does not take a part of an upload');
      return { location: this.#locationOf(answer), at: reached(answer) ?? end };
    } catch (error) {
      signal.throwIfAborted();
      if (source.failed !== undefined || (error instanceof CopyError && !error.passing)) throw error;
      return this.#reached(location, signal);
    }
  }

  async #reached(location: URL, signal: AbortSignal): Promise<{ location: URL; at: number }> {
    return this.#registry.patience.with(signal, async () => {
      const answer = await this.#write('GET', location, {}, undefined, this.#scopes, signal);
      await this.#expect(answer, [204], 'has lost an upload');
      return { location: this.#locationOf(answer), at: reached(answer) ?? 0 };
    });
  }

  async #finish(location: URL, at: number, signal: AbortSignal): Promise<void> {
    const { source } = this.#options;
    const url = new URL(location);
    url.searchParams.set('digest', source.digest);
    const headers = {
      'content-type': TYPE,
      'content-length': String(source.size - at),
      ...(at > 0 ? { 'content-range': `${at}-${source.size - 1}` } : {}),
    };
    const body = source.size > at ? source.bytes(at, source.size, signal) : undefined;
    const answer = await this.#write('PUT', url, headers, body, this.#scopes, signal);
    await this.#expect(answer, [201, 204], 'does not take a blob');
  }

  get #scopes(): string[] {
    return [pushOf(this.#options.repository)];
  }

  async #write(
    method: UpstreamWrite['method'],
    at: string | URL,
    headers: Record<string, string>,
    body: AsyncIterable<Buffer> | undefined,
    scopes: readonly string[],
    signal: AbortSignal,
  ): Promise<Answer> {
    const watch = new UploadWatch(body ? COMMIT_MS : ANSWER_MS);
    const both = AbortSignal.any([signal, watch.signal]);
    const sent = body && Readable.from(watch.over(body), { objectMode: false });
    try {
      const call = { method, at, headers, scopes, signal: both };
      return await this.#registry.connection.write(sent ? { ...call, body: sent } : call);
    } finally {
      watch.end();
    }
  }

  /** Reads the answer to its end. @throws CopyError */
  async #expect(answer: Answer, statuses: readonly number[], what: string): Promise<void> {
    const said = await saidBy(answer);
    if (statuses.includes(answer.status)) return;
    const { repository } = this.#options;
    throw this.#registry.failure(answer.status, answer.headers.get('retry-after'), `${what} to ${repository}`, said);
  }

  #locationOf(answer: Answer): URL {
    const { connection, name } = this.#registry;
    const text = answer.headers.get('location') ?? '';
    if (text === '' || !URL.canParse(text, connection.url))
      throw new CopyError(`${name} does not say where an upload goes on`);
    return new URL(text, connection.url);
  }
}

/** The place after the last byte that is there: upload ranges are `0-2`, inclusive, and `0-0` for nothing (facts: distribution). */
function reached(answer: Answer): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.headers.get('range') ?? '')?.[1];
  return last === undefined ? undefined : last === '0' ? 0 : Number(last) + 1;
}
