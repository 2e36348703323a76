import { isDigest } from './reference.ts';

/** A reference to other content in a manifest (image-spec "OCI Content Descriptors"). */
export interface Descriptor {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
}

/** The content that a registry needs before it accepts the manifest. */
export interface ManifestContent {
  mediaType: string;
  /** Manifests that an index lists. */
  children: Descriptor[];
  /** Configuration, layers and blobs of artifacts, each once. */
  blobs: Descriptor[];
  /** The manifest that this one refers to; it may be missing. */
  subject: Descriptor | undefined;
}

/** `problem`: why the manifest cannot be copied, for the operator. */
export type ManifestReading = ManifestContent | { problem: string };

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)$/;
/** Foreign blobs: with `urls` clients fetch them elsewhere, and a registry need not have them. */
const FOREIGN = /\.foreign\.|\.nondistributable\./;
const MAX_DESCRIPTORS = 10_000;

/** All manifest media types, for an Accept header that asks for the manifest unchanged. */
export const MANIFEST_TYPES = [
  OCI_MANIFEST,
  OCI_INDEX,
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.artifact.manifest.v1+json',
];

/** Parses a manifest or an index. @param contentType as it was sent; the content's own `mediaType` takes precedence */
export function readManifestContent(bytes: Uint8Array, contentType: string | undefined): ManifestReading {
  const manifest = parse(bytes);
  if (!manifest) return { problem: 'it is no JSON object' };
  const sent = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  const mediaType = typeof manifest.mediaType === 'string' ? manifest.mediaType : sent;
  if (manifest.schemaVersion === 1 || SCHEMA_1.test(mediaType))
    return { problem: 'it is a schema 1 manifest, which registries take no more; push the image anew' };
  try {
    const listed = toList(manifest.manifests).map(toDescriptor);
    // BuildKit stores its cache as an index of blobs.
    const children = listed.filter(isManifest);
    const config = manifest.config === undefined || manifest.config === null ? [] : [manifest.config];
    const named = [...config, ...toList(manifest.layers), ...toList(manifest.blobs)].filter((one) => !isForeign(one));
    const blobs = [...named.map(toDescriptor), ...listed.filter((one) => !isManifest(one))];
    const subject =
      manifest.subject === undefined || manifest.subject === null ? undefined : toDescriptor(manifest.subject);
    return {
      mediaType: mediaTypeOf(manifest, mediaType),
      children: uniqueByDigest(children),
      blobs: uniqueByDigest(blobs),
      subject,
    };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** Some registries send a generic type; then the content decides. */
function mediaTypeOf(manifest: Record<string, unknown>, mediaType: string): string {
  if (mediaType !== '' && !/^(application\/(json|octet-stream)|text\/plain)$/.test(mediaType)) return mediaType;
  return Array.isArray(manifest.manifests) ? OCI_INDEX : OCI_MANIFEST;
}

function isManifest({ mediaType }: Descriptor): boolean {
  return mediaType === '' || MANIFEST_TYPES.includes(mediaType) || /manifest|index/.test(mediaType);
}

function isForeign(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { mediaType, urls } = value;
  return typeof mediaType === 'string' && FOREIGN.test(mediaType) && Array.isArray(urls) && urls.length > 0;
}

function uniqueByDigest(descriptors: readonly Descriptor[]): Descriptor[] {
  return [...new Map(descriptors.map((one) => [one.digest, one])).values()];
}

/** @throws Error whose message names the problem */
function toDescriptor(value: unknown): Descriptor {
  const { digest, size, mediaType }: Record<string, unknown> = isObject(value) ? value : {};
  if (typeof digest !== 'string' || !isDigest(digest)) throw new Error('a part of it is named by no digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw new Error(`the size of ${digest.slice(0, 19)} is no number of bytes`);
  return { digest, size, mediaType: typeof mediaType === 'string' ? mediaType : '' };
}

function toList(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error('a list in it is none');
  if (value.length > MAX_DESCRIPTORS) throw new Error(`it has more than ${MAX_DESCRIPTORS} parts`);
  return value;
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const content: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isObject(content) ? content : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value of JSON is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
