import { MANIFEST_TYPES } from '../../oci/manifest-content.ts';
import { readBody } from '../body/read-body.ts';
import type { Answer } from '../client.ts';
import {
  type CanaryReading,
  failingReading,
  overloadOf,
  type ProbedBlob,
  type ProbeGet,
  pullScope,
  readRandomBytes,
} from './byte-range-probe.ts';
import { readProbedManifest } from './probed-manifest.ts';

/** A blob that clients have pulled. */
interface StandInBlob extends ProbedBlob {
  /** Whether the probe's own credentials are expected to read the blob. */
  readable: boolean;
  /** The client that it was served to. */
  client: string | undefined;
}

const ACCEPT = MANIFEST_TYPES.join(', ');
const MAX_MANIFEST = 4_194_304;
/** At 200 bytes a second, a tenth of it takes longer than a probe may. */
const MORE_BYTES = 4096;
const MAX_STAND_INS = 4;
/**
 * Limits the blobs of one repository and of one client, so that one deleted image, or a client that deletes what it has
 * pulled, does not look like lost storage.
 */
const MAX_STAND_INS_PER_REPOSITORY = 2;
const MAX_STAND_INS_PER_CLIENT = 2;

/**
 * The read that shows whether an upstream can reach its storage: a manifest by tag, and one byte of a blob. Any
 * shallower check stays green while storage hangs. Without a configured canary, the last blobs served are read instead.
 */
export class Canary {
  readonly #reference: { repository: string; reference: string } | undefined;
  /** Newest first. */
  #standIns: StandInBlob[] = [];
  readonly #sharesTrafficCredentials: boolean;
  /** The configured canary's blob, by the digest of its manifest. A steady state costs two requests. */
  #configuredBlob: { manifest: string; blob: ProbedBlob; longest: ProbedBlob } | undefined;
  /** It has been read without the account of the probe: a 404 without it then no longer means that it is hidden. */
  readWithoutAccount = false;
  /** Whether more than one byte of a blob is read. While bodies trickle, a HEAD and one byte are as fast as ever. */
  readsMore: () => boolean = () => false;
  /** The registry does not answer the HEAD of a manifest with its digest. */
  #headFails = false;

  /**
   * @param image as configured: `library/canary:latest`, or `repository@digest`
   * @param sharesTrafficCredentials false when traffic uses credentials that the probe does not have
   */
  constructor(image: string | undefined, sharesTrafficCredentials = true) {
    this.#reference = image === undefined ? undefined : splitImage(image);
    this.#sharesTrafficCredentials = sharesTrafficCredentials;
  }

  /** Of the configured canary. Undefined: none is configured. */
  get repository(): string | undefined {
    return this.#reference?.repository;
  }

  get configured(): boolean {
    return this.#reference !== undefined;
  }

  /** A blob that the probe has read, so that its repository is there. Undefined: none yet. */
  get readable(): ProbedBlob | undefined {
    return this.#configuredBlob?.blob ?? this.#standIns.find(({ readable }) => readable);
  }

  /** Notes a blob that the upstream has just served. @param client the client that it was served to */
  rememberServed(repository: string, digest: string, size: number | undefined, client?: string): void {
    if (this.#reference || this.#standIns.some((blob) => blob.digest === digest && blob.repository === repository))
      return;
    const beyond = (max: number, alike: (one: StandInBlob) => boolean) => this.#standIns.filter(alike).slice(max - 1);
    const surplus = [
      ...beyond(MAX_STAND_INS_PER_REPOSITORY, (one) => one.repository === repository),
      ...beyond(MAX_STAND_INS_PER_CLIENT, (one) => client !== undefined && one.client === client),
    ];
    const kept = this.#standIns.filter((one) => !surplus.includes(one));
    const blob = { repository, digest, size, readable: this.#sharesTrafficCredentials, client };
    this.#standIns = [blob, ...kept].slice(0, MAX_STAND_INS);
  }

  /**
   * Forgets what clients deleted: their deletions are no lost storage.
   * @param digest undefined: an image was deleted, so each blob of the repository may vanish
   */
  forgetDeleted(repository: string, digest?: string): void {
    this.#standIns = this.#standIns.filter(
      (blob) => blob.repository !== repository || (digest !== undefined && blob.digest !== digest),
    );
  }

  /** Reads the canary. Rejects as `get` does when the upstream does not answer. */
  async read(get: ProbeGet): Promise<CanaryReading> {
    if (this.#reference) return this.#readConfigured(this.#reference.repository, this.#reference.reference, get);
    if (this.#standIns.length > 0) return this.#readStandIns(get);
    return { state: 'none', reason: 'the version check passed; no canary is configured' };
  }

  /**
   * Reads the manifest by HEAD where its blob is known already. To Harbor, a GET of a manifest is a pull: a row of the audit log, a
   * count and a webhook. HEAD books nothing, and reads the tag and the manifest like GET. Where a cache in front of the storage answers
   * it, the byte of the blob, read in parallel, still comes from storage. While requests have trouble, more of a blob is read, which books
   * nothing either: one client can have trouble all day.
   */
  async #readConfigured(repository: string, reference: string, get: ProbeGet): Promise<CanaryReading> {
    const known = this.#configuredBlob;
    if (!known || this.#headFails) return this.#readManifest(repository, reference, get, known);
    const [head, byte] = await Promise.all([
      headManifest(repository, reference, get),
      this.readsMore()
        ? readRandomBytes(known.longest, get, 'canary blob', MORE_BYTES)
        : readRandomBytes(known.blob, get, 'canary blob'),
    ]);
    const { status } = head;
    const digest = head.headers.get('docker-content-digest');
    // Artifact Registry has answered 405.
    this.#headFails = status === 405 || (status === 200 && digest === undefined);
    if (status !== 200 && status !== 405) return { ...manifestFailure(status), ...overloadOf(head) };
    return digest === known.manifest ? byte : this.#readManifest(repository, reference, get);
  }

  /** @param known its blob is read in parallel, so that a slow upstream takes as long as for one request */
  async #readManifest(
    repository: string,
    reference: string,
    get: ProbeGet,
    known?: { manifest: string; blob: ProbedBlob },
  ): Promise<CanaryReading> {
    const byte = known && readRandomBytes(known.blob, get, 'canary blob');
    // The answer to the manifest comes first. Its error is the one to tell.
    byte?.catch(() => undefined);
    const answer = await get(`/v2/${repository}/manifests/${reference}`, { accept: ACCEPT }, [pullScope(repository)]);
    if (answer.status !== 200) return failingReading(manifestFailure(answer.status).reason, answer);
    const body = await readBody(answer.body, MAX_MANIFEST);
    const key = answer.headers.get('docker-content-digest') ?? body.toString('latin1');
    if (this.#configuredBlob?.manifest !== key) {
      const found = await findBlob(repository, body, get);
      if ('state' in found) return found;
      this.#configuredBlob = { manifest: key, ...found };
    } else if (byte) return byte;
    return readRandomBytes(this.#configuredBlob.blob, get, 'canary blob');
  }

  /** One 404 is a deleted blob. When every blob is gone, the storage is. */
  async #readStandIns(get: ProbeGet): Promise<CanaryReading> {
    let bad: CanaryReading | undefined;
    const asked = this.#standIns;
    for (const blob of asked) {
      const reading = await readRandomBytes(blob, get, 'a blob served before');
      if (reading.state === 'good') {
        blob.readable = true;
        return reading;
      }
      // A denied read of a blob that the probe has never read shows a lack of permission. A single blob may have been
      // deleted.
      const denied = DENIALS.includes(reading.status ?? 0);
      const conclusive = blob.readable && asked.length > 1;
      if (reading.state === 'failing' && (conclusive || !denied)) bad ??= reading;
    }
    if (!bad)
      return { state: 'none', reason: 'the version check passed; the probe cannot read the blobs served before' };
    return {
      ...bad,
      reason: `${bad.reason} (no canary is configured; the last ${asked.length} blobs served were read instead)`,
    };
  }
}

const DENIALS = [401, 403, 404];

async function headManifest(repository: string, reference: string, get: ProbeGet): Promise<Answer> {
  const path = `/v2/${repository}/manifests/${reference}`;
  const answer = await get(path, { accept: ACCEPT }, [pullScope(repository)], 'HEAD');
  await answer.body.dump({ limit: 16_384 });
  return answer;
}

function manifestFailure(status: number): CanaryReading {
  return { state: 'failing', reason: `canary manifest answers ${status}`, status };
}

/** A blob of the canary, and the one of which more can be read. */
async function findBlob(
  repository: string,
  manifest: Buffer,
  get: ProbeGet,
): Promise<{ blob: ProbedBlob; longest: ProbedBlob } | CanaryReading> {
  let content = readProbedManifest(manifest);
  if (content.child !== undefined) {
    const path = `/v2/${repository}/manifests/${content.child}`;
    const answer = await get(path, { accept: ACCEPT }, [pullScope(repository)]);
    if (answer.status !== 200)
      return failingReading(`a manifest in the canary's index answers ${answer.status}`, answer);
    content = readProbedManifest(await readBody(answer.body, MAX_MANIFEST));
  }
  const { blob } = content;
  if (!blob) return { state: 'failing', reason: 'canary manifest names no blob' };
  const { config = blob } = content;
  const longest = (blob.size ?? 0) < Math.min(config.size ?? 0, MORE_BYTES) ? config : blob;
  return { blob: { repository, ...blob }, longest: { repository, ...longest } };
}

function splitImage(image: string): { repository: string; reference: string } {
  const at = image.indexOf('@');
  if (at > 0) return { repository: image.slice(0, at), reference: image.slice(at + 1) };
  const colon = image.lastIndexOf(':');
  return colon > 0
    ? { repository: image.slice(0, colon), reference: image.slice(colon + 1) }
    : { repository: image, reference: 'latest' };
}
