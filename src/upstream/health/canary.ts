import { readBody } from '../body/read-body.ts';
import {
  type CanaryReading,
  failing,
  type ProbedBlob,
  type ProbeGet,
  pullScope,
  readByte,
} from './byte-range-probe.ts';
import { readManifest } from './probed-manifest.ts';

/** A blob that traffic has read. */
interface StandIn extends ProbedBlob {
  /** Whether the probe, with its own credentials, may be expected to read it too. */
  readable: boolean;
}

const ACCEPT = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');
const MAX_MANIFEST = 4_194_304;
const STAND_INS = 4;
/** So that one image whose blobs are deleted does not pass for storage that is gone. */
const STAND_INS_OF_ONE = 2;

/**
 * The read that tells whether an upstream sees its storage: a manifest by tag and one byte of a blob. Everything shallower stays
 * green while storage hangs. Without a configured canary the last blobs served stand in for it.
 */
export class Canary {
  readonly #reference: { repository: string; reference: string } | undefined;
  /** Newest first. */
  #standIns: StandIn[] = [];
  readonly #seesWhatTrafficSees: boolean;
  /** Blob of the configured canary by the digest header of its manifest, so that a steady state costs two requests. */
  #known: { manifest: string; blob: ProbedBlob } | undefined;

  /**
   * @param image as configured: `library/canary:latest`, or `repository@digest`
   * @param seesWhatTrafficSees false where traffic has credentials that the probe has not
   */
  constructor(image: string | undefined, seesWhatTrafficSees = true) {
    this.#reference = image === undefined ? undefined : splitImage(image);
    this.#seesWhatTrafficSees = seesWhatTrafficSees;
  }

  get configured(): boolean {
    return this.#reference !== undefined;
  }

  /** Notes a blob that the upstream has just served. */
  remember(repository: string, digest: string, size: number | undefined): void {
    if (this.#reference || this.#standIns.some((blob) => blob.digest === digest && blob.repository === repository))
      return;
    const own = this.#standIns.filter((one) => one.repository === repository);
    const surplus = own.slice(STAND_INS_OF_ONE - 1);
    const kept = this.#standIns.filter((one) => !surplus.includes(one));
    const blob = { repository, digest, size, readable: this.#seesWhatTrafficSees };
    this.#standIns = [blob, ...kept].slice(0, STAND_INS);
  }

  /** Reads it. Rejects as `get` does when the upstream does not answer. */
  async read(get: ProbeGet): Promise<CanaryReading> {
    if (this.#reference) return this.#readConfigured(this.#reference.repository, this.#reference.reference, get);
    if (this.#standIns.length > 0) return this.#readStandIns(get);
    return { state: 'none', reason: 'shallow probe is good; there is no canary' };
  }

  async #readConfigured(repository: string, reference: string, get: ProbeGet): Promise<CanaryReading> {
    const answer = await get(`/v2/${repository}/manifests/${reference}`, { accept: ACCEPT }, [pullScope(repository)]);
    if (answer.status !== 200) return failing(`canary manifest answers ${answer.status}`, answer);
    const body = await readBody(answer.body, MAX_MANIFEST);
    const key = answer.headers.get('docker-content-digest') ?? body.toString('latin1');
    if (this.#known?.manifest !== key) {
      const found = await findBlob(repository, body, get);
      if ('state' in found) return found;
      this.#known = { manifest: key, blob: found };
    }
    return readByte(this.#known.blob, get, 'canary blob');
  }

  /** A single 404 is a blob that was deleted; when all of them are gone, storage is. */
  async #readStandIns(get: ProbeGet): Promise<CanaryReading> {
    let bad: CanaryReading | undefined;
    const asked = this.#standIns;
    for (const blob of asked) {
      const reading = await readByte(blob, get, 'a blob served before');
      if (reading.state === 'good') {
        blob.readable = true;
        return reading;
      }
      // What the probe has never been able to read tells of its credentials, and a single blob may have been deleted.
      const denied = DENIALS.includes(reading.status ?? 0);
      const telling = blob.readable && asked.length > 1;
      if (reading.state === 'failing' && (telling || !denied)) bad ??= reading;
    }
    if (!bad) return { state: 'none', reason: 'shallow probe is good; what was served before cannot be read by it' };
    return { state: 'failing', reason: `${bad.reason} (the last ${asked.length} served stand in for a canary)` };
  }
}

const DENIALS = [401, 403, 404];

async function findBlob(repository: string, manifest: Buffer, get: ProbeGet): Promise<ProbedBlob | CanaryReading> {
  let content = readManifest(manifest);
  if (content.child !== undefined) {
    const path = `/v2/${repository}/manifests/${content.child}`;
    const answer = await get(path, { accept: ACCEPT }, [pullScope(repository)]);
    if (answer.status !== 200) return failing(`a manifest in the canary's index answers ${answer.status}`, answer);
    content = readManifest(await readBody(answer.body, MAX_MANIFEST));
  }
  return content.blob ? { repository, ...content.blob } : { state: 'failing', reason: 'canary manifest names no blob' };
}

function splitImage(image: string): { repository: string; reference: string } {
  const at = image.indexOf('@');
  if (at > 0) return { repository: image.slice(0, at), reference: image.slice(at + 1) };
  const colon = image.lastIndexOf(':');
  return colon > 0
    ? { repository: image.slice(0, colon), reference: image.slice(colon + 1) }
    : { repository: image, reference: 'latest' };
}
