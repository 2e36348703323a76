import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import type { Store, StoredManifest } from './store.ts';

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
  const { store, req } = exchange;
  const bytes = await exchange.readAll(MAX_BYTES);
  const digest = digestFor(bytes, reference);
  const manifest = readManifest(bytes, req.headers['content-type']);
  checkReferences(store, repository, manifest.references);
  store.keepManifest(repository, digest, manifest.stored);
  if (!reference.includes(':')) store.repository(repository).tags.set(reference, digest);
  exchange.reply(201, {
    location: exchange.locate(`/v2/${repository}/manifests/${digest}`),
    'docker-content-digest': digest,
    ...(manifest.stored.subject === undefined ? {} : { 'oci-subject': manifest.stored.subject }),
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

interface References {
  blobs: string[];
  manifests: string[];
}

/** @throws LabError MANIFEST_INVALID */
export function readManifest(
  bytes: Buffer,
  contentType: string | undefined,
): { stored: StoredManifest; references: References } {
  const { mediaType, config, layers = [], manifests = [], subject, artifactType, annotations } = parse(bytes);
  const declared = contentType?.split(';')[0]?.trim();
  if (mediaType !== undefined && declared !== undefined && mediaType !== declared)
    throw new LabError(400, 'MANIFEST_INVALID', `Content-Type is ${declared}, mediaType ${mediaType}`);
  const type = declared ?? mediaType;
  if (type === undefined) throw new LabError(400, 'MANIFEST_INVALID', 'neither Content-Type nor mediaType');
  // Layers that may not be distributed carry the URLs where they are, and need not be here.
  const here = layers.filter(({ urls }) => !urls?.length);
  return {
    stored: {
      mediaType: type,
      bytes,
      ...(subject ? { subject: subject.digest } : {}),
      ...describe(artifactType ?? config?.mediaType, annotations),
    },
    references: {
      blobs: [...(config ? [config] : []), ...here].map(({ digest }) => digest),
      manifests: manifests.map(({ digest }) => digest),
    },
  };
}

function describe(
  artifactType: string | undefined,
  annotations: Record<string, string> | undefined,
): Partial<StoredManifest> {
  return { ...(artifactType === undefined ? {} : { artifactType }), ...(annotations ? { annotations } : {}) };
}

function parse(bytes: Buffer): z.output<typeof document> {
  try {
    return document.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    const what = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new LabError(400, 'MANIFEST_INVALID', `manifest invalid: ${what}`);
  }
}

function checkReferences(store: Store, repository: string, { blobs, manifests }: References): void {
  const missing = [
    ...blobs.filter((digest) => !store.blob(repository, digest)),
    ...manifests.filter((digest) => !store.manifest(repository, digest)),
  ];
  if (missing.length > 0)
    throw new LabError(400, 'MANIFEST_BLOB_UNKNOWN', `manifest refers to what is not here: ${missing.join(', ')}`);
}
