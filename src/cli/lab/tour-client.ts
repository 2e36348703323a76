import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { sha256 } from '../../oci/reference.ts';

export interface TourReply {
  status: number;
  /** The upstream that answered, as the edge names it. */
  upstream: string;
  warning: string | undefined;
  location: string;
  body: Buffer;
}

export interface TourPull {
  /** The upstreams that answered, each once. */
  upstreams: string[];
  warning: string | undefined;
  requests: number;
  bytes: number;
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

  /** Pulls the image `latest`. @throws Error when a reply is not 200 or bytes do not have their digest */
  async pull(repository: string): Promise<TourPull> {
    const manifest = await this.#ask('GET', `/v2/${repository}/manifests/latest`);
    expectStatus(manifest, 200);
    const { config, layers }: { config: Descriptor; layers: Descriptor[] } = JSON.parse(manifest.body.toString());
    const replies = [manifest];
    for (const { digest } of [config, ...layers]) {
      const blob = await this.#ask('GET', `/v2/${repository}/blobs/${digest}`);
      expectStatus(blob, 200);
      if (sha256(blob.body) !== digest) throw new Error(`${digest} has other bytes`);
      replies.push(blob);
    }
    return {
      upstreams: [...new Set(replies.map(({ upstream }) => upstream))],
      warning: replies.find(({ warning }) => warning !== undefined)?.warning,
      requests: replies.length,
      bytes: replies.reduce((sum, { body }) => sum + body.length, 0),
    };
  }

  /** Downloads a blob, and tells of every piece how many bytes have come so far. Its upstream is the one that the reply began with. */
  async download(
    repository: string,
    digest: string,
    onBytes: (bytes: number, upstream: string) => void,
  ): Promise<{ bytes: number; digest: string; upstream: string }> {
    const response = await this.#send('GET', `/v2/${repository}/blobs/${digest}`);
    const upstream = String(response.headers['x-breakwater-upstream']);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const piece of response) {
      hash.update(piece);
      bytes += piece.length;
      onBytes(bytes, upstream);
    }
    return { bytes, digest: `sha256:${hash.digest('hex')}`, upstream };
  }

  /** Pushes a small image as `latest`. @returns the first reply that refuses it, else the one to its manifest */
  async push(repository: string): Promise<TourReply> {
    const config = Buffer.from(
      JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
    );
    const begun = await this.#ask('POST', `/v2/${repository}/blobs/uploads/`);
    if (begun.status !== 202) return begun;
    const digest = sha256(config);
    const upload = new URL(begun.location, 'https://localhost');
    upload.searchParams.set('digest', digest);
    const sent = await this.#ask('PUT', upload.pathname + upload.search, config);
    if (sent.status !== 201) return sent;
    const mediaType = 'application/vnd.oci.image.config.v1+json';
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: { mediaType, digest, size: config.length },
      layers: [],
    };
    return this.#ask('PUT', `/v2/${repository}/manifests/latest`, Buffer.from(JSON.stringify(manifest)), MANIFEST_TYPE);
  }

  async #ask(method: string, path: string, body?: Buffer, type?: string): Promise<TourReply> {
    const response = await this.#send(method, path, body, type);
    const { warning, location = '' } = response.headers;
    return {
      status: response.statusCode ?? 0,
      upstream: String(response.headers['x-breakwater-upstream']),
      warning: warning?.toString(),
      location,
      body: Buffer.concat(await response.toArray()),
    };
  }

  async #send(
    method: string,
    path: string,
    body?: Buffer,
    type = 'application/octet-stream',
  ): Promise<IncomingMessage> {
    const headers = body === undefined ? {} : { 'content-type': type, 'content-length': body.length };
    const call = request({
      ...{ host: '127.0.0.1', servername: 'localhost', port: this.#port, method, path, rejectUnauthorized: false },
      ...{ agent: false, headers: { accept: '*/*', ...headers }, signal: AbortSignal.timeout(DEADLINE_MS) },
    });
    call.end(body);
    const [response] = await once(call, 'response');
    return response;
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

function expectStatus(reply: TourReply, status: number): void {
  if (reply.status !== status) throw new Error(`the edge answered ${reply.status}: ${errorText(reply)}`);
}
