import { UpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';
import { pullScope, pushScope, type RemoteRegistry } from '../registry/remote-registry.ts';
import type { BlobSource } from './blob-source.ts';
import { sendUpload } from './upload-request.ts';
import { UploadSession } from './upload-session.ts';

export interface BlobUploadOptions {
  registry: RemoteRegistry;
  repository: string;
  source: BlobSource;
  /** Bytes: a longer blob goes in parts of this size, so that it can go on where it broke off. */
  chunkBytes?: number | undefined;
  /** See `UploadWatchOptions`. */
  idleMs?: number | undefined;
}

const DEFAULT_CHUNK_BYTES = 67_108_864;
const MAX_RESTARTS = 5;
/** Times in a row that a part may be sent of which nothing arrives. */
const MAX_FRUITLESS_CHUNKS = 5;
/** For how long a registry that fails to mount is not asked to, in milliseconds. */
const MOUNT_RETRY_MS = 600_000;
/** Answers within an upload that mean that it is lost, or in disorder, and is to begin anew. */
const LOST_SESSION = [400, 401, 404, 409, 416];
/** Answers to the first part of an upload that are about all of them. */
const CHUNKS_UNSUPPORTED = [405, 415, 501];

/** Registries that take a blob in one piece only (Artifact Registry). */
const monolithicOnly = new WeakSet<RemoteRegistry>();
/** Until when a registry is not asked to mount. Artifact Registry's token service takes no two scopes at once. */
const mountsDisabledUntil = new WeakMap<RemoteRegistry, number>();

/** Brings one blob to a registry (distribution-spec v1.1.1 "Pushing blobs"). */
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
   * Tries to have it taken from another repository of the same registry first.
   * @param from that repository, if there is one
   * @returns whether that was enough; `there`: it was there already
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
        session = await this.#restart(error, restarts, signal);
      }
    }
    return 'uploaded';
  }

  /** @returns undefined if the registry has all of it after all: its answer may have been lost */
  async #restart(error: unknown, restarts: number, signal: AbortSignal): Promise<UploadSession | undefined> {
    const { failure } = this.#options.source;
    // What the source failed with, it failed with in spite of all patience, and is behind whatever became of the upload.
    if (failure !== undefined) throw failure;
    const refused = error instanceof CopyError && !error.retryable;
    const lost = refused && LOST_SESSION.includes(error.status ?? 0);
    if ((refused && !lost) || restarts >= (lost ? 1 : MAX_RESTARTS)) throw error;
    return this.#registry.retryPolicy.runAfterFailure(error, signal, async () =>
      (await this.#exists(signal)) ? undefined : UploadSession.begin(this.#options, signal),
    );
  }

  /** @returns undefined where that cannot be had: then it is uploaded as any other */
  async #mount(from: string, signal: AbortSignal): Promise<'mounted' | UploadSession | undefined> {
    const { repository, source } = this.#options;
    if (Date.now() < (mountsDisabledUntil.get(this.#registry) ?? 0)) return undefined;
    const at = `/v2/${repository}/blobs/uploads/?${new URLSearchParams({ mount: source.digest, from })}`;
    const scopes = [pushScope(repository), pullScope(from)];
    try {
      const reply = await sendUpload(this.#registry, { method: 'POST', at, headers: {}, scopes }, signal);
      return reply.status === 201 ? 'mounted' : UploadSession.fromReply(this.#options, reply);
    } catch (error) {
      signal.throwIfAborted();
      // It need not be so: what is wrong with the registry shows in the upload, and is said there.
      const refused = error instanceof CopyError ? !error.retryable : isCredentialsError(error);
      if (refused) mountsDisabledUntil.set(this.#registry, Date.now() + MOUNT_RETRY_MS);
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
      if (typeof next === 'object') throw this.#chunksRefused(next.refused);
      if (next > at) stuck = 0;
      at = next;
      if (stuck > MAX_FRUITLESS_CHUNKS)
        throw new CopyError(`${this.#registry.name} loses what it is sent of an upload`, { retryable: true });
    }
    return session.finish(source, at, signal);
  }

  #chunksRefused(status: number): CopyError {
    this.#monolithic = true;
    // Others may be about this one upload.
    if (CHUNKS_UNSUPPORTED.includes(status)) monolithicOnly.add(this.#registry);
    return new CopyError(`${this.#registry.name} takes blobs in one piece only`, { retryable: true });
  }

  #exists(signal: AbortSignal): Promise<boolean> {
    const { repository, source } = this.#options;
    return this.#registry.hasBlob(repository, source.digest, signal);
  }
}

function isCredentialsError(error: unknown): boolean {
  return error instanceof UpstreamError && error.reason === 'credentials';
}
