import { CopyError } from '../copy-error.ts';
import { pushScope, type RemoteRegistry } from '../registry/remote-registry.ts';
import type { UploadSource } from './blob-source.ts';
import { sendUpload, type UploadReply, type UploadRequest } from './upload-request.ts';

export interface UploadSessionOptions {
  registry: RemoteRegistry;
  repository: string;
  /** See `UploadTimeoutOptions`. */
  idleMs?: number | undefined;
}

const CONTENT_TYPE = 'application/octet-stream';
/** Answers to the first chunk that mean that the registry takes no chunks. */
const CHUNKS_REFUSED = [400, 404, 405, 415, 501];
/**
 * Answers to a chunk after which the registry is asked for its offset: the chunk was out of order, the previous chunk is still being
 * written, or the token has expired.
 */
const ASK_OFFSET = [401, 409, 416];

/** One upload session at a registry (distribution-spec v1.1.1 "Pushing blobs"). */
export class UploadSession {
  readonly #options: UploadSessionOptions;
  readonly #registry: RemoteRegistry;
  /** URL of the next request. */
  #location: URL;
  /** The registry has said that it has less than it took. */
  isDoubtful = false;
  /** It has not told how much it has when it was asked. */
  #saysNothing = false;

  constructor(options: UploadSessionOptions, location: URL) {
    this.#options = options;
    this.#registry = options.registry;
    this.#location = location;
  }

  /** @throws CopyError, UpstreamError; the signal's reason */
  static async begin(options: UploadSessionOptions, signal: AbortSignal): Promise<UploadSession> {
    const { registry, repository } = options;
    const at = `/v2/${repository}/blobs/uploads/`;
    return registry.retryPolicy.run(repository, signal, async () => {
      const scopes = [pushScope(repository)];
      const reply = await sendUpload(registry, { method: 'POST', at, headers: {}, scopes }, signal);
      return UploadSession.fromReply(options, reply);
    });
  }

  /** Makes a session from the answer to a POST. @throws CopyError */
  static fromReply(options: UploadSessionOptions, reply: UploadReply): UploadSession {
    const { registry, repository } = options;
    if (reply.status !== 202)
      throw registry.failure(reply, `does not start an upload to ${repository}`, reply.errorMessage);
    const { url } = registry.connection;
    const at = new URL(`${url.pathname.replace(/\/+$/, '')}/v2/${repository}/blobs/uploads/`, url);
    const session = new UploadSession(options, at);
    if (!session.#followLocation(reply)) throw new CopyError(`${registry.name} sends no Location for an upload`);
    return session;
  }

  /**
   * Sends one chunk. After an interruption the registry is asked how much arrived.
   * @returns the offset of the next chunk; `refused`: status of a registry that may take no chunks; `behind`: the registry takes chunks, and
   *   says that it has less than it took
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async sendChunk(
    source: UploadSource,
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<number | { refused: number } | 'behind'> {
    const headers = { 'content-type': CONTENT_TYPE, 'content-range': `${from}-${to - 1}` };
    const body = { bytes: to - from, read: (cut: AbortSignal) => source.read(from, to, cut) };
    let cause: unknown;
    try {
      const reply = await this.#send({ method: 'PATCH', headers, body }, signal);
      if (from === 0 && CHUNKS_REFUSED.includes(reply.status)) return { refused: reply.status };
      if (reply.status >= 200 && reply.status < 300) return await this.#taken(reply, source, { from, to }, signal);
      const failure = this.#failure(reply, 'refuses a chunk of an upload');
      if (!failure.retryable && !ASK_OFFSET.includes(reply.status)) throw failure;
      cause = failure;
    } catch (error) {
      signal.throwIfAborted();
      if (source.failure !== undefined || error instanceof CopyError) throw error;
      cause = error;
    }
    return this.#registry.retryPolicy.runAfterFailure(cause, this.#options.repository, signal, async () => {
      const reply = await this.#send({ method: 'GET', headers: {} }, signal);
      if (reply.status !== 204 && reply.status !== 200) throw this.#failure(reply, 'has lost an upload');
      return this.#offsetIn(reply, 0, source);
    });
  }

  /**
   * Sends the rest and commits the blob under its digest.
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async finish(source: UploadSource, from: number, signal: AbortSignal): Promise<void> {
    const { digest, size } = source;
    const at = new URL(this.#location);
    // The digest is appended to the query as text, because a registry may have signed the query as written.
    at.search += `${at.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`;
    const body = { bytes: size - from, read: (cut: AbortSignal) => source.read(from, size, cut) };
    const headers = { 'content-type': CONTENT_TYPE };
    const reply = await this.#send({ method: 'PUT', at, headers, ...(body.bytes > 0 ? { body } : {}) }, signal);
    if (reply.status !== 201 && reply.status !== 204) throw this.#failure(reply, 'refuses a blob');
    if (!reply.bodyComplete)
      throw new CopyError(`${this.#registry.name} answered before it had read the whole upload`, { retryable: true });
  }

  /**
   * Where an upload goes on after a chunk that the registry has taken. Its Range may be behind (Amazon ECR), and to send the same again would
   * spoil the upload, for ever. Then it is asked once. What it says of the session then counts, and if it says nothing, so does the status.
   */
  async #taken(
    reply: UploadReply,
    source: UploadSource,
    { from, to }: { from: number; to: number },
    signal: AbortSignal,
  ): Promise<number | 'behind'> {
    const told = this.#offsetIn(reply, reply.bodyComplete ? to : from, source);
    if (!reply.bodyComplete || told >= to) return told;
    this.isDoubtful = true;
    if (this.#saysNothing) return to;
    const answer = await this.#send({ method: 'GET', headers: {} }, signal).catch(() => undefined);
    signal.throwIfAborted();
    this.#saysNothing = answer?.status !== 204 && answer?.status !== 200;
    if (!answer || this.#saysNothing) return to;
    return this.#offsetIn(answer, to, source) < to ? 'behind' : to;
  }

  async #send(request: Omit<UploadRequest, 'scopes' | 'at'> & { at?: URL }, signal: AbortSignal): Promise<UploadReply> {
    const { repository, idleMs } = this.#options;
    const whole = { at: this.#location, scopes: [pushScope(repository)], idleMs, ...request };
    const reply = await sendUpload(this.#registry, whole, signal);
    if (reply.status < 300) this.#followLocation(reply);
    return reply;
  }

  /**
   * Upload ranges are inclusive, `0-2`; `0-0` also stands for nothing (facts of distribution).
   * @throws CopyError
   */
  #offsetIn({ headers }: UploadReply, otherwise: number, source: UploadSource): number {
    const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(headers.get('range') ?? '')?.[1];
    const at = last === undefined ? otherwise : last === '0' ? 0 : Number(last) + 1;
    if (at <= source.verifiedBytes) return at;
    throw new CopyError(
      `${this.#registry.name} counts ${at} bytes of an upload of which it was sent ${source.verifiedBytes}`,
      {
        status: 416,
      },
    );
  }

  /**
   * A path of the registry API is followed whatever its host, because registries behind proxies name internal hosts and schemes. Any other
   * path must be on the registry's own host. The request always goes to the configured origin, so that a registry cannot redirect an upload
   * to plain HTTP or to another host.
   * @returns whether there is a Location. @throws CopyError
   */
  #followLocation({ headers }: UploadReply): boolean {
    const { url } = this.#registry.connection;
    const text = headers.get('location') ?? '';
    if (text === '' || !URL.canParse(text, this.#location)) return false;
    const to = new URL(text, this.#location);
    const ours = to.hostname === url.hostname || to.pathname.startsWith(`${url.pathname.replace(/\/+$/, '')}/v2/`);
    if (!ours) throw new CopyError(`${this.#registry.name} redirects an upload to ${to.host}, which is another host`);
    this.#location = new URL(to.pathname + to.search, url.origin);
    return true;
  }

  #failure(reply: UploadReply, what: string): CopyError {
    return this.#registry.failure(reply, `${what} to ${this.#options.repository}`, reply.errorMessage);
  }
}
