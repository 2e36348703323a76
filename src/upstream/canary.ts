import { randomInt } from 'node:crypto';
import type { CanaryState } from '../failover/view.ts';
import { parseChallenges } from '../oci/challenge.ts';
import { readBody } from './body.ts';
import type { Answer } from './client.ts';

export interface CanaryReading {
  state: CanaryState;
  reason: string;
}

/** Sends a GET with the probe's credentials. @param path below the upstream's URL */
export type ProbeGet = (path: string, headers: Record<string, string>, scopes: string[]) => Promise<Answer>;

interface Blob {
  repository: string;
  digest: string;
  /** Bytes, where it is known. */
  size: number | undefined;
}

const ACCEPT = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');
const MAX_MANIFEST = 4_194_304;
const STAND_INS = 3;

/**
 * The read that tells whether an upstream sees its storage: a manifest by tag and one byte of a blob. Everything shallower stays
 * green while storage hangs. Without a configured canary the last blobs served stand in for it.
 */
export class Canary {
  readonly #reference: { repository: string; reference: string } | undefined;
  #standIns: Blob[] = [];
  /** Blob of the configured canary by the digest header of its manifest, so that a steady state costs two requests. */
  #known: { manifest: string; blob: Blob } | undefined;

  /** @param image as configured: `library/canary:latest`, or `repository@digest` */
  constructor(image: string | undefined) {
    this.#reference = image === undefined ? undefined : splitImage(image);
  }

  get configured(): boolean {
    return this.#reference !== undefined;
  }

  /** Notes a blob that the upstream has just served. */
  remember(repository: string, digest: string, size: number | undefined): void {
    if (this.#reference || this.#standIns.some((blob) => blob.digest === digest && blob.repository === repository))
      return;
    this.#standIns = [{ repository, digest, size }, ...this.#standIns].slice(0, STAND_INS);
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
      const blob = await this.#findBlob(repository, body, get);
      if (!blob) return { state: 'failing', reason: 'canary manifest names no blob' };
      this.#known = { manifest: key, blob };
    }
    return readByte(this.#known.blob, get, 'canary blob');
  }

  async #findBlob(repository: string, manifest: Buffer, get: ProbeGet): Promise<Blob | undefined> {
    const parsed = parseManifest(manifest);
    const child = parsed?.manifests?.find((one) => typeof one.digest === 'string');
    if (child) {
      const answer = await get(`/v2/${repository}/manifests/${child.digest}`, { accept: ACCEPT }, [
        pullScope(repository),
      ]);
      if (answer.status !== 200) {
        await answer.body.dump();
        return undefined;
      }
      return blobOf(repository, parseManifest(await readBody(answer.body, MAX_MANIFEST)));
    }
    return blobOf(repository, parsed);
  }

  /** A single 404 is a blob that was deleted; when all of them are gone, storage is. */
  async #readStandIns(get: ProbeGet): Promise<CanaryReading> {
    let last: CanaryReading = { state: 'none', reason: 'no stand-in' };
    for (const blob of this.#standIns) {
      last = await readByte(blob, get, 'a blob served before');
      if (last.state === 'good') return last;
    }
    return { ...last, reason: `${last.reason} (the last ${this.#standIns.length} served stand in for a canary)` };
  }
}

/** A random byte: the first one may come from a page cache while storage hangs. */
async function readByte(blob: Blob, get: ProbeGet, what: string): Promise<CanaryReading> {
  const offset = blob.size !== undefined && blob.size > 0 ? randomInt(Math.min(blob.size, 2 ** 47)) : 0;
  const range = { range: `bytes=${offset}-${offset}` };
  const answer = await get(`/v2/${blob.repository}/blobs/${blob.digest}`, range, [pullScope(blob.repository)]);
  if (answer.status === 401 && parseChallenges(answer.headers.joined('www-authenticate')).length > 0) {
    await answer.body.dump();
    return { state: 'none', reason: 'the probe has no credentials to read a blob with' };
  }
  if (answer.status !== 206 && answer.status !== 200) return failing(`${what} answers ${answer.status}`, answer);
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    if (chunk.length > 0) return { state: 'good', reason: `${what} was read` };
  }
  return { state: 'failing', reason: `${what} has no bytes` };
}

async function failing(reason: string, answer: Answer): Promise<CanaryReading> {
  await answer.body.dump({ limit: 16_384 });
  return { state: 'failing', reason };
}

function splitImage(image: string): { repository: string; reference: string } {
  const at = image.indexOf('@');
  if (at > 0) return { repository: image.slice(0, at), reference: image.slice(at + 1) };
  const colon = image.lastIndexOf(':');
  return colon > 0
    ? { repository: image.slice(0, colon), reference: image.slice(colon + 1) }
    : { repository: image, reference: 'latest' };
}

function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

interface Descriptor {
  digest?: string;
  size?: number;
}

interface Manifest {
  manifests?: Descriptor[];
  layers?: Descriptor[];
  config?: Descriptor;
}

function parseManifest(body: Buffer): Manifest | undefined {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function blobOf(repository: string, manifest: Manifest | undefined): Blob | undefined {
  const descriptor = manifest?.layers?.find((one) => typeof one.digest === 'string') ?? manifest?.config;
  if (typeof descriptor?.digest !== 'string') return undefined;
  return {
    repository,
    digest: descriptor.digest,
    size: typeof descriptor.size === 'number' ? descriptor.size : undefined,
  };
}
