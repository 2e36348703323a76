import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import type { Store } from './store.ts';

const MAX_BYTES = 4 * 1024 ** 2;

const descriptor = z.looseObject({
  mediaType: z.string().optional(),
  digest: z.string(),
  size: z.number().optional(),
  urls: z.array(z.string()).optional(),
});
const document = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  config: descriptor.optional(),
  layers: z.array(descriptor).optional(),
  manifests: z.array(descriptor).optional(),
  subject: descriptor.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

type ManifestContent = z.output<typeof document>;

/** GET and HEAD, by tag or digest. Whatever Accept says, what is there is sent. */
export function serveManifest(exchange: Exchange, repository: string, reference: string): void {
  const { req, store } = exchange;
  const found = store.manifest(repository, reference);
  if (!found) throw new LabError(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  const { digest, manifest } = found;
  const etag = `"${digest}"`;
  const headers = { 'docker-content-digest': digest, etag };
  if (req.headers['if-none-match'] === etag) exchange.reply(304, headers);
  else exchange.reply(200, { ...headers, 'content-type': manifest.mediaType }, manifest.bytes);
}

/** PUT (distribution-spec v1.1.1 "Pushing manifests"): what it refers to must be there; `subject` need not. */
export async function takeManifest(exchange: Exchange, repository: string, reference: string): Promise<void> {
  const { store, req, behaviour } = exchange;
  const tags = new URL(req.url ?? '', 'http://lab').searchParams.getAll('tag');
  const bytes = await exchange.readAll(MAX_BYTES);
  const digest = digestFor(bytes, reference);
  const content = parse(bytes);
  const mediaType = mediaTypeOf(content, req.headers['content-type']);
  checkReferences(store, repository, content);
  const { config, artifactType = config?.mediaType, annotations } = content;
  const subject = content.subject?.digest;
  store.keepManifest(repository, digest, { mediaType, bytes, subject, artifactType, annotations });
  // Tags beside a digest are those of distribution-spec 1.2.
  const made = reference.includes(':') ? tags : [reference];
  for (const tag of made) store.setTag(repository, tag, digest);
  exchange.reply(201, {
    location: exchange.locate(`/v2/${repository}/manifests/${digest}`),
    'docker-content-digest': digest,
    ...(reference.includes(':') && tags.length > 0 ? { 'oci-tag': tags.join(', ') } : {}),
    ...(subject !== undefined && behaviour.referrers ? { 'oci-subject': subject } : {}),
  });
}

/** DELETE: a digest takes its tags with it, a tag goes alone. */
export function dropManifest(exchange: Exchange, repository: string, reference: string): void {
  const { store } = exchange;
  const dropped = reference.includes(':')
    ? store.removeManifest(repository, reference)
    : store.repositories.get(repository)?.tags.delete(reference);
  if (!dropped) throw new LabError(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  exchange.reply(202);
}

function digestFor(bytes: Buffer, reference: string): string {
  const [algorithm = ''] = reference.includes(':') ? reference.split(':') : ['sha256'];
  if (!['sha256', 'sha384', 'sha512'].includes(algorithm))
    throw new LabError(400, 'DIGEST_INVALID', 'unsupported digest algorithm');
  const digest = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
  if (reference.includes(':') && digest !== reference)
    throw new LabError(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  return digest;
}

function mediaTypeOf({ mediaType }: ManifestContent, contentType: string | undefined): string {
  const declared = contentType?.split(';')[0]?.trim();
  if (mediaType !== undefined && declared !== undefined && mediaType !== declared)
    throw new LabError(400, 'MANIFEST_INVALID', `Content-Type is ${declared}, mediaType ${mediaType}`);
  const type = declared ?? mediaType;
  if (type === undefined) throw new LabError(400, 'MANIFEST_INVALID', 'neither Content-Type nor mediaType');
  return type;
}

function parse(bytes: Buffer): ManifestContent {
  try {
    return document.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    const what = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new LabError(400, 'MANIFEST_INVALID', `manifest invalid: ${what}`);
  }
}

function checkReferences(store: Store, repository: string, content: ManifestContent): void {
  const { config, layers = [], manifests = [] } = content;
  // Layers that may not be distributed carry the URLs where they are, and need not be here.
  const blobs = [...(config ? [config] : []), ...layers.filter(({ urls }) => !urls?.length)];
  const missing = [
    ...blobs.filter(({ digest }) => !store.blob(repository, digest)),
    ...manifests.filter(({ digest }) => !store.manifest(repository, digest)),
  ].map(({ digest }) => digest);
  if (missing.length > 0)
    throw new LabError(400, 'MANIFEST_BLOB_UNKNOWN', `manifest refers to what is not here: ${missing.join(', ')}`);
}
