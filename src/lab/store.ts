import { createHash, type Hash, randomUUID } from 'node:crypto';
import { sha256 } from '../oci/reference.ts';
import { Bytes } from './bytes.ts';
import { LabError } from './error.ts';

export interface StoredManifest {
  mediaType: string;
  bytes: Buffer;
  /** Digest of the manifest that this one refers to. */
  subject?: string | undefined;
  artifactType?: string | undefined;
  annotations?: Record<string, string> | undefined;
  /** When the manifest came; epoch milliseconds. Artifact Registry lists it. */
  uploadedAt?: number;
}

export interface StoredRepository {
  /** Digests of the blobs that may be read through this repository. */
  blobs: Set<string>;
  manifests: Map<string, StoredManifest>;
  /** Tag to digest. */
  tags: Map<string, string>;
  /** Tag to the time of its last push; epoch milliseconds. Harbor lists it. */
  pushedAt: Map<string, number>;
}

/** A blob that is being uploaded. */
export interface UploadSession {
  id: string;
  repository: string;
  /** Query parameter that must come back with every request, as distribution's `_state` must. */
  state: string;
  chunks: Buffer[];
  length: number;
  sha256: Hash;
  /** Whether a request is adding to it just now. */
  busy: boolean;
}

const MAX_SESSIONS = 1000;

/** What a registry of the lab keeps, in memory and within `maxBytes`: blobs, manifests and uploads under way together. */
export class Store {
  readonly blobs = new Map<string, Bytes>();
  readonly repositories = new Map<string, StoredRepository>();
  readonly sessions = new Map<string, UploadSession>();
  readonly maxBytes: number;
  #used = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** @throws LabError 507 when there is no room. */
  reserve(bytes: number): void {
    if (this.#used + bytes > this.maxBytes)
      throw new LabError(507, 'UNKNOWN', `no space left: the lab keeps ${this.maxBytes} bytes`);
    this.#used += bytes;
  }

  repository(name: string): StoredRepository {
    const known = this.repositories.get(name);
    if (known) return known;
    const made: StoredRepository = { blobs: new Set(), manifests: new Map(), tags: new Map(), pushedAt: new Map() };
    this.repositories.set(name, made);
    return made;
  }

  /** The blob, if this repository may be read for it. */
  blob(repository: string, digest: string): Bytes | undefined {
    return this.repositories.get(repository)?.blobs.has(digest) ? this.blobs.get(digest) : undefined;
  }

  /** Keeps bytes whose room was already reserved; a blob that is there already gives the room back. */
  keepBlob(repository: string, digest: string, bytes: Bytes): void {
    if (this.blobs.has(digest)) this.#used -= bytes.length;
    else this.blobs.set(digest, bytes);
    this.repository(repository).blobs.add(digest);
  }

  addBlob(repository: string, bytes: Buffer): string {
    const digest = sha256(bytes);
    this.reserve(bytes.length);
    this.keepBlob(repository, digest, new Bytes([bytes]));
    return digest;
  }

  /** The bytes go with the last repository that had it. */
  removeBlob(repository: string, digest: string): void {
    const bytes = this.blob(repository, digest);
    if (!bytes) return;
    this.repository(repository).blobs.delete(digest);
    const shared = [...this.repositories.values()].some(({ blobs }) => blobs.has(digest));
    if (!shared && this.blobs.delete(digest)) this.#used -= bytes.length;
  }

  keepManifest(repository: string, digest: string, manifest: StoredManifest): void {
    const { manifests } = this.repository(repository);
    this.reserve(manifest.bytes.length);
    const known = manifests.get(digest);
    this.#used -= known?.bytes.length ?? 0;
    manifests.set(digest, { ...manifest, uploadedAt: known?.uploadedAt ?? Date.now() });
  }

  /** Puts a tag on a manifest. */
  setTag(repository: string, tag: string, digest: string): void {
    const { tags, pushedAt } = this.repository(repository);
    tags.set(tag, digest);
    pushedAt.set(tag, Date.now());
  }

  /** Whether it was there. Its tags go with it. */
  removeManifest(repository: string, digest: string): boolean {
    const { manifests, tags } = this.repository(repository);
    const manifest = manifests.get(digest);
    if (!manifest) return false;
    manifests.delete(digest);
    this.#used -= manifest.bytes.length;
    for (const [tag, tagged] of tags) if (tagged === digest) tags.delete(tag);
    return true;
  }

  /** Digest and manifest of a tag or a digest. */
  manifest(repository: string, reference: string): { digest: string; manifest: StoredManifest } | undefined {
    const known = this.repositories.get(repository);
    const digest = reference.includes(':') ? reference : known?.tags.get(reference);
    const manifest = digest === undefined ? undefined : known?.manifests.get(digest);
    return digest !== undefined && manifest ? { digest, manifest } : undefined;
  }

  openSession(repository: string): UploadSession {
    const oldest = [...this.sessions.values()].find(({ busy }) => !busy);
    if (oldest && this.sessions.size >= MAX_SESSIONS) this.dropSession(oldest);
    const session: UploadSession = {
      id: randomUUID(),
      repository,
      state: Buffer.from(randomUUID()).toString('base64url'),
      chunks: [],
      length: 0,
      sha256: createHash('sha256'),
      busy: false,
    };
    this.sessions.set(session.id, session);
    return session;
  }

  append(session: UploadSession, chunk: Buffer): void {
    this.reserve(chunk.length);
    session.chunks.push(chunk);
    session.length += chunk.length;
    session.sha256.update(chunk);
  }

  dropSession(session: UploadSession): void {
    if (this.sessions.delete(session.id)) this.#used -= session.length;
  }

  /** Turns a session into a blob, if its bytes have this digest; the session is over either way. */
  commit(session: UploadSession, digest: string): boolean {
    if (uploadDigest(session, digest) !== digest) {
      this.dropSession(session);
      return false;
    }
    this.sessions.delete(session.id);
    this.keepBlob(session.repository, digest, new Bytes(session.chunks));
    return true;
  }
}

function uploadDigest(session: UploadSession, like: string): string | undefined {
  const algorithm = like.split(':')[0] ?? '';
  if (algorithm === 'sha256') return `sha256:${session.sha256.digest('hex')}`;
  if (algorithm !== 'sha512' && algorithm !== 'sha384') return undefined;
  const hash = createHash(algorithm);
  for (const chunk of session.chunks) hash.update(chunk);
  return `${algorithm}:${hash.digest('hex')}`;
}
