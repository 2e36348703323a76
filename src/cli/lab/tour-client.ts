import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { sha256 } from '../../oci/reference.ts';

export interface TourReply {
  status: number;
  /** The upstream that answered, as the edge names it. A download that resumes keeps the one that it began with. */
  upstream: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

interface Sent {
  body?: Buffer;
  type?: string;
  /** Told of every piece of the reply how many bytes have come so far. */
  onBytes?: ((bytes: number, upstream: string) => void) | undefined;
}

interface Descriptor {
  digest: string;
  size: number;
}

/** Milliseconds that one request may take. */
const DEADLINE_MS = 60_000;
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** A client of the lab's edge, whose certificate nobody has signed. It checks every digest, as container clients do. */
export class TourClient {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Pulls the image `latest`. @returns the replies of its requests @throws Error when one is not 200, or bytes do not have their digest */
  async pull(repository: string): Promise<TourReply[]> {
    const manifest = await this.#get(`/v2/${repository}/manifests/latest`);
    const { config, layers }: { config: Descriptor; layers: Descriptor[] } = JSON.parse(manifest.body.toString());
    const replies = [manifest];
    for (const { digest } of [config, ...layers]) replies.push(await this.download(repository, digest));
    return replies;
  }

  /** Downloads a blob. @throws Error when the reply is not 200, or the bytes do not have the digest */
  async download(repository: string, digest: string, onBytes?: Sent['onBytes']): Promise<TourReply> {
    const blob = await this.#get(`/v2/${repository}/blobs/${digest}`, onBytes);
    if (sha256(blob.body) !== digest) throw new Error(`${digest} has other bytes (${blob.body.length})`);
    return blob;
  }

  /** Pushes a small image as `latest`. @returns the first reply that refuses it, else the one to its manifest */
  async push(repository: string): Promise<TourReply> {
    const config = Buffer.from(
      JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
    );
    const begun = await this.#ask('POST', `/v2/${repository}/blobs/uploads/`);
    if (begun.status !== 202) return begun;
    const digest = sha256(config);
    const upload = new URL(begun.headers.location ?? '', 'https://localhost');
    upload.searchParams.set('digest', digest);
    const sent = await this.#ask('PUT', upload.pathname + upload.search, { body: config });
    if (sent.status !== 201) return sent;
    const mediaType = 'application/vnd.oci.image.config.v1+json';
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: { mediaType, digest, size: config.length },
      layers: [],
    };
    const body = Buffer.from(JSON.stringify(manifest));
    return this.#ask('PUT', `/v2/${repository}/manifests/latest`, { body, type: MANIFEST_TYPE });
  }

  async #get(path: string, onBytes?: Sent['onBytes']): Promise<TourReply> {
    const reply = await this.#ask('GET', path, { onBytes });
    if (reply.status !== 200) throw new Error(`the edge answered ${reply.status}: ${errorText(reply)}`);
    return reply;
  }

  async #ask(method: string, path: string, sent: Sent = {}): Promise<TourReply> {
    const { body, type = 'application/octet-stream', onBytes } = sent;
    const headers = body === undefined ? {} : { 'content-type': type, 'content-length': body.length };
    const call = request({
      ...{ host: '127.0.0.1', servername: 'localhost', port: this.#port, method, path, rejectUnauthorized: false },
      ...{ agent: false, headers: { accept: '*/*', ...headers }, signal: AbortSignal.timeout(DEADLINE_MS) },
    });
    call.end(body);
    const [response] = await once(call, 'response');
    const upstream = String(response.headers['x-breakwater-upstream']);
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of response) {
      pieces.push(piece);
      bytes += piece.length;
      onBytes?.(bytes, upstream);
    }
    return { status: response.statusCode, upstream, headers: response.headers, body: Buffer.concat(pieces) };
  }
}

/** What an error body of a registry says; its text where it is none. */
export function errorText({ body }: TourReply): string {
  try {
    const { code, message }: { code?: string; message?: string } = JSON.parse(body.toString()).errors[0];
    return `${code}: ${message}`;
  } catch {
    return body.toString().slice(0, 300);
  }
}
