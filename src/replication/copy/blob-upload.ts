import { monotonicNow } from '../../clock/clock.ts';
import { CopyError, isRefusal } from '../copy-error.ts';
import { pullScope, pushScope, type RemoteRegistry } from '../registry/remote-registry.ts';
import type { BlobSource } from './blob-source.ts';
import { sendUpload } from './upload-request.ts';
import { UploadSession, type UploadSessionOptions } from './upload-session.ts';

export interface BlobUploadOptions extends UploadSessionOptions {
  source: BlobSource;
  /** Bytes of one chunk. A longer blob is uploaded in chunks of this size, so that an interrupted upload can resume. */
  chunkBytes?: number | undefined;
}

const DEFAULT_CHUNK_BYTES = 67_108_864;
const MAX_RESTARTS = 5;
/** Consecutive chunks of which nothing may arrive. */
const MAX_FRUITLESS_CHUNKS = 5;
/** Milliseconds for which no mount is tried at a registry that refused one. */
const MOUNT_RETRY_MS = 600_000;
/** Answers during an upload that mean that the session is lost and the upload must restart. */
const LOST_SESSION = [400, 401, 404, 409, 416];
/** Answers to the first chunk that hold for every upload to this registry. */
const CHUNKS_UNSUPPORTED = [405, 415, 501];

/** Registries that take a blob only in one request (Artifact Registry). */
const monolithicOnly = new WeakSet<RemoteRegistry>();
/** Until when no mount is tried at a registry. Artifact Registry's token service refuses two scopes in one request. */
const mountsDisabledUntil = new WeakMap<RemoteRegistry, number>();

/** Uploads one blob to a registry (distribution-spec v1.1.1 "Pushing blobs"). */
export class BlobUpload {
  readonly #options: BlobUploadOptions;
  readonly #registry: RemoteRegistry;
  readonly #chunkBytes: number;
  #monolithic = false;

  constructor(options: BlobUploadOptions) {
    this.#options = options;
    this.#registry = options.registry;
    this.#chunkBytes = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
  }

  /**
   * Tries a cross-repository mount first, then uploads.
   * @param from a repository of the same registry that has the blob, if one is known
   * @returns how the blob got there; `there`: the registry already had the blob
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async run(from: string | undefined, signal: AbortSignal): Promise<'mounted' | 'uploaded' | 'there'> {
    const mounted = from === undefined ? undefined : await this.#mount(from, signal);
    if (mounted === 'mounted') return mounted;
    if (from !== undefined && (await this.#exists(signal))) return 'there';
    let session: UploadSession | undefined = mounted ?? (await UploadSession.begin(this.#options, signal));
    for (let restarts = 0; session; restarts += 1) {
      try {
        await this.#send(session, signal);
        break;
      } catch (error) {
        signal.throwIfAborted();
        if (session.isDoubtful) this.#monolithic = true;
        session = await this.#restart(error, restarts, signal);
      }
    }
    return 'uploaded';
  }

  /** @returns undefined if the registry has the whole blob: only its answer was lost */
  async #restart(error: unknown, restarts: number, signal: AbortSignal): Promise<UploadSession | undefined> {
    const { failure } = this.#options.source;
    // The source gave up after all its retries, so this failure is the cause of the failed upload.
    if (failure !== undefined) throw failure;
    const refused = error instanceof CopyError && !error.retryable;
    const lost = refused && LOST_SESSION.includes(error.status ?? 0);
    if ((refused && !lost) || restarts >= (lost ? 1 : MAX_RESTARTS)) throw error;
    return this.#registry.retryPolicy.runAfterFailure(error, this.#options.repository, signal, async () =>
      (await this.#exists(signal)) ? undefined : UploadSession.begin(this.#options, signal),
    );
  }

  /** @returns undefined if the registry cannot mount: the blob is then uploaded */
  async #mount(from: string, signal: AbortSignal): Promise<'mounted' | UploadSession | undefined> {
    const { repository, source } = this.#options;
    if (monotonicNow() < (mountsDisabledUntil.get(this.#registry) ?? 0)) return undefined;
    const at = `/v2/${repository}/blobs/uploads/?${new URLSearchParams({ mount: source.digest, from })}`;
    const scopes = [pushScope(repository), pullScope(from)];
    try {
      const reply = await sendUpload(this.#registry, { method: 'POST', at, headers: {}, scopes }, signal);
      return reply.status === 201 ? 'mounted' : UploadSession.fromReply(this.#options, reply);
    } catch (error) {
      signal.throwIfAborted();
      // A failed mount is not reported: if the registry has a problem, the upload meets and reports the same problem.
      if (isRefusal(error)) mountsDisabledUntil.set(this.#registry, monotonicNow() + MOUNT_RETRY_MS);
      return undefined;
    }
  }

  async #send(session: UploadSession, signal: AbortSignal): Promise<void> {
    const { source } = this.#options;
    if (source.size <= this.#chunkBytes || this.#monolithic || monolithicOnly.has(this.#registry))
      return session.finish(source, 0, signal);
    let at = 0;
    for (let stuck = 0; at < source.size; stuck += 1) {
      const next = await session.sendChunk(source, at, Math.min(at + this.#chunkBytes, source.size), signal);
      if (next === 'behind')
        throw new CopyError(`${this.#registry.name} counts less of an upload than it took`, { retryable: true });
      if (typeof next === 'object') throw this.#chunksRefused(next.refused);
      if (next > at) stuck = 0;
      at = next;
      if (stuck > MAX_FRUITLESS_CHUNKS)
        throw new CopyError(`${this.#registry.name} stores nothing of what an upload sends`, { retryable: true });
    }
    return session.finish(source, at, signal);
  }

  #chunksRefused(status: number): CopyError {
    this.#monolithic = true;
    // The other statuses may concern this upload only.
    if (CHUNKS_UNSUPPORTED.includes(status)) monolithicOnly.add(this.#registry);
    return new CopyError(`${this.#registry.name} accepts blobs only in one request`, { retryable: true });
  }

  #exists(signal: AbortSignal): Promise<boolean> {
    const { repository, source } = this.#options;
    return this.#registry.hasBlob(repository, source.digest, signal);
  }
}
