import { createHash } from 'node:crypto';
import type { HttpsClient, Reply } from './https-client.ts';

const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

export interface Pulled {
  digest: string;
  /** Which upstreams answered, in the order of the requests: the manifest, then its blobs. */
  upstreams: string[];
  /** Milliseconds, of the slowest request. */
  slowest: number;
}

interface Manifest {
  config?: { digest: string };
  layers?: { digest: string }[];
}

/** Pulls an image as a client does, without a single retry: manifest by tag, then each blob; every byte is verified. */
export async function pull(client: HttpsClient, repository: string, reference: string): Promise<Pulled> {
  const first = await get(client, `/v2/${repository}/manifests/${reference}`);
  const digest = sha256(first.body);
  const manifest: Manifest = JSON.parse(first.body.toString());
  const blobs = [manifest.config, ...(manifest.layers ?? [])].flatMap((blob) => (blob ? [blob.digest] : []));
  const replies = [first];
  for (const blob of blobs) {
    const reply = await get(client, `/v2/${repository}/blobs/${blob}`);
    if (sha256(reply.body) !== blob) throw new Error(`blob ${blob}: wrong bytes (${reply.body.length})`);
    replies.push(reply);
  }
  return {
    digest,
    upstreams: replies.map((reply) => String(reply.headers['x-breakwater-upstream'])),
    slowest: Math.max(...replies.map((reply) => reply.took)),
  };
}

async function get(client: HttpsClient, path: string): Promise<Reply> {
  const began = performance.now();
  try {
    const reply = await client.ask(path, { headers: { accept: ACCEPT } });
    if (reply.status === 200) return reply;
    throw new Error(`${reply.status} ${reply.body.toString().slice(0, 500)}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`GET ${path} after ${Math.round(performance.now() - began)} ms: ${reason}`, { cause: error });
  }
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
