import { isDigest } from '../../oci/reference.ts';

/** The parts of a manifest that a probe needs: the first child, or else a blob that has bytes. */
export interface ManifestContent {
  child: string | undefined;
  /** `size` in bytes, if known. */
  blob: { digest: string; size: number | undefined } | undefined;
}

/** Reads an image manifest or an index. Malformed parts are ignored. */
export function readProbedManifest(body: Buffer): ManifestContent {
  const manifest = record(parse(body));
  const blobs = [...list(manifest.layers), manifest.config].flatMap(descriptor);
  return {
    child: list(manifest.manifests).flatMap(descriptor)[0]?.digest,
    // An empty blob has no byte to read.
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
