import { UpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';
import { pullOf, pushOf, type RemoteRegistry } from '../registry/remote-registry.ts';
import type { BlobSource } from './blob-source.ts';
import { sendUpload } from './upload-request.ts';
import { UploadSession } from './upload-session.ts';

export interface BlobUploadOptions {
  registry: RemoteRegistry;
  repository: string;
  source: BlobSource;
  /** Bytes: a longer blob goes in parts of this size, so that it can go on where it broke off. */
  piece?: number | undefined;
  /** See `UploadWatchOptions`. */
  idleMs?: number | undefined;
}

const PIECE = 67_108_864;
const MAX_RESTARTS = 5;
/** Times in a row that a part may be sent of which nothing arrives. */
const MAX_STUCK = 5;
/** For how long a registry that fails to mount is not asked to, in milliseconds. */
const NO_MOUNTS_MS = 600_000;
/** Answers within an upload that mean that it is lost, or in disorder, and is to begin anew. */
const LOST = [400, 401, 404, 409, 416];
/** Answers to the first part of an upload that are about all of them. */
const NO_PARTS_EVER = [405, 415, 501];

/** Registries that take a blob in one piece only (Artifact Registry). */
const inOnePiece = new WeakSet<RemoteRegistry>();
/** Until when a registry is not asked to mount. Artifact Registry's token service takes no two scopes at once. */
const noMounts = new WeakMap<RemoteRegistry, number>();

/** Brings one blob to a registry (distribution-spec v1.1.1 "Pushing blobs"). */
export class BlobUpload {
  readonly #options: BlobUploadOptions;
  readonly #registry: RemoteRegistry;
  readonly #pieceBytes: number;
  #inOnePiece = false;

  constructor(options: BlobUploadOptions) {
    this.#options = options;
    this.#registry = options.registry;
    this.#pieceBytes = options.piece ?? PIECE;
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
    if (from !== undefined && (await this.#isThere(signal))) return 'there';
    let session: UploadSession | undefined = mounted ?? (await UploadSession.begin(this.#options, signal));
    for (let restarts = 0; session; restarts += 1) {
      try {
        await this.#send(session, signal);
        break;
      } catch (error) {
        signal.throwIfAborted();
        session = await this.#again(error, restarts, signal);
      }
    }
    return 'uploaded';
  }

  /** @returns undefined if the registry has all of it after all: its answer may have been lost */
  async #again(error: unknown, restarts: number, signal: AbortSignal): Promise<UploadSession | undefined> {
    const { failed } = this.#options.source;
    // What the source failed with, it failed with in spite of all patience, and is behind whatever became of the upload.
    if (failed !== undefined) throw failed;
    const refused = error instanceof CopyError && !error.passing;
    const lost = refused && LOST.includes(error.status ?? 0);
    if ((refused && !lost) || restarts >= (lost ? 1 : MAX_RESTARTS)) throw error;
    return this.#registry.patience.after(error, signal, async () =>
      (await this.#isThere(signal)) ? undefined : UploadSession.begin(this.#options, signal),
    );
  }

  /** @returns undefined where that cannot be had: then it is uploaded as any other */
  async #mount(from: string, signal: AbortSignal): Promise<'mounted' | UploadSession | undefined> {
    const { repository, source } = this.#options;
    if (Date.now() < (noMounts.get(this.#registry) ?? 0)) return undefined;
    const at = `/v2/${repository}/blobs/uploads/?${new URLSearchParams({ mount: source.digest, from })}`;
    const scopes = [pushOf(repository), pullOf(from)];
    try {
      const reply = await sendUpload(this.#registry, { method: 'POST', at, headers: {}, scopes }, signal);
      return reply.status === 201 ? 'mounted' : UploadSession.begun(this.#options, reply);
    } catch (error) {
      signal.throwIfAborted();
      // It need not be so: what is wrong with the registry shows in the upload, and is said there.
      const refused = error instanceof CopyError ? !error.passing : isAboutCredentials(error);
      if (refused) noMounts.set(this.#registry, Date.now() + NO_MOUNTS_MS);
      return undefined;
    }
  }

  async #send(session: UploadSession, signal: AbortSignal): Promise<void> {
    const { source } = this.#options;
    if (source.size <= this.#pieceBytes || this.#inOnePiece || inOnePiece.has(this.#registry))
      return session.finish(source, 0, signal);
    let at = 0;
    for (let stuck = 0; at < source.size; stuck += 1) {
      const next = await session.part(source, at, Math.min(at + this.#pieceBytes, source.size), signal);
      if (typeof next === 'object') throw this.#refusesParts(next.refused);
      if (next > at) stuck = 0;
      at = next;
      if (stuck > MAX_STUCK)
        throw new CopyError(`${this.#registry.name} loses what it is sent of an upload`, { passing: true });
    }
    return session.finish(source, at, signal);
  }

  #refusesParts(status: number): CopyError {
    this.#inOnePiece = true;
    // Others may be about this one upload.
    if (NO_PARTS_EVER.includes(status)) inOnePiece.add(this.#registry);
    return new CopyError(`${this.#registry.name} takes blobs in one piece only`, { passing: true });
  }

  #isThere(signal: AbortSignal): Promise<boolean> {
    const { repository, source } = this.#options;
    return this.#registry.hasBlob(repository, source.digest, signal);
  }
}

function isAboutCredentials(error: unknown): boolean {
  return error instanceof UpstreamError && error.reason === 'credentials';
}
