import { isDigest } from '../../oci/reference.ts';

/** What a probe needs of a manifest: the first of its children, or else a blob that has bytes. */
export interface ManifestContent {
  child: string | undefined;
  /** `size` in bytes, where it is told. */
  blob: { digest: string; size: number | undefined } | undefined;
}

/** Reads an image manifest or an index; whatever is not as it should be is as if it were not there. */
export function readManifest(body: Buffer): ManifestContent {
  const manifest = record(parse(body));
  const blobs = [...list(manifest.layers), manifest.config].flatMap(descriptor);
  return {
    child: list(manifest.manifests).flatMap(descriptor)[0]?.digest,
    // No byte of an empty blob can be read.
    blob: blobs.find((one) => one.size !== 0),
  };
}

function descriptor(value: unknown): { digest: string; size: number | undefined }[] {
  const { digest, size } = record(value);
  if (typeof digest !== 'string' || !isDigest(digest)) return [];
  return [{ digest, size: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined }];
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
