import { createHash } from 'node:crypto';

/** Every manifest that the tests make. */
export const ACCEPT = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

interface Part {
  digest: string;
  size: number;
  mediaType?: string;
}

export interface WalkOptions {
  /** Read every blob to its end, rather than ask whether it is there and how long it is. */
  whole?: boolean;
}

/** All that stands below a tag, or what of it is not there. */
export interface Walked {
  /** Digest -> SHA-256 of the bytes and media type; of a blob that was not read, its length. */
  found: Map<string, string>;
  missing: string[];
}

/** Tag or digest, and everything below it, read without any of the code that copies. */
export async function walkRegistry(
  url: string,
  repository: string,
  reference: string,
  { whole = false }: WalkOptions = {},
): Promise<Walked> {
  const walked: Walked = { found: new Map(), missing: [] };
  const visit = async (name: string): Promise<void> => {
    const response = await fetch(`${url}/v2/${repository}/manifests/${name}`, { headers: { accept: ACCEPT } });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (response.status !== 200) return void walked.missing.push(`${repository}@${name}: ${response.status}`);
    const digest = sha256(bytes);
    if (name.includes(':') && digest !== name) walked.missing.push(`${repository}@${name}: its bytes are ${digest}`);
    walked.found.set(digest, `${digest} ${response.headers.get('content-type')}`);
    const content: { manifests?: Part[]; config?: Part; layers?: Part[] } = JSON.parse(bytes.toString());
    const isBlob = ({ mediaType = '' }: Part) => !/manifest|index/.test(mediaType);
    const listed = content.manifests ?? [];
    for (const child of listed.filter((one) => !isBlob(one))) await visit(child.digest);
    const blobs = [...(content.config ? [content.config] : []), ...(content.layers ?? []), ...listed.filter(isBlob)];
    for (const blob of blobs) await look(blob);
  };
  const look = async ({ digest, size }: Part): Promise<void> => {
    if (walked.found.has(digest)) return;
    const method = whole ? 'GET' : 'HEAD';
    const response = await fetch(`${url}/v2/${repository}/blobs/${digest}`, { method });
    const bytes = Buffer.from(await response.arrayBuffer());
    const length = Number(response.headers.get('content-length') ?? bytes.length);
    const isThere = response.status === 200 && length === size && (!whole || sha256(bytes) === digest);
    if (isThere) walked.found.set(digest, whole ? sha256(bytes) : String(length));
    else walked.missing.push(`${repository}@${digest}: ${response.status}, ${length} bytes of ${size}`);
  };
  await visit(reference);
  return walked;
}

/** Every tag of a registry: `repository` -> its tags. */
export async function tagsOf(url: string): Promise<Map<string, string[]>> {
  const { repositories }: { repositories: string[] } = await json(`${url}/v2/_catalog?n=1000`);
  const tags = new Map<string, string[]>();
  for (const name of repositories)
    tags.set(name, (await json<{ tags: string[] | null }>(`${url}/v2/${name}/tags/list`)).tags ?? []);
  return tags;
}

async function json<T>(url: string): Promise<T> {
  const response = await fetch(url);
  // A repository without a manifest is none yet.
  return response.status === 404 ? ({ tags: [] } as T) : ((await response.json()) as T);
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
