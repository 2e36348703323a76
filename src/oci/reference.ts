import { hash } from 'node:crypto';

// Grammar of distribution-spec v1.1.1, "Pulling manifests", and of image-spec's descriptor for digests.
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const PREFIX = new RegExp(`^(?:${COMPONENT}/)+$`);
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;
const KNOWN_HEX: ReadonlyMap<string, RegExp> = new Map([
  ['sha256', /^[0-9a-f]{64}$/],
  ['sha384', /^[0-9a-f]{96}$/],
  ['sha512', /^[0-9a-f]{128}$/],
]);
const MAX_REPOSITORY = 255;

/** Whether `text` is a repository name (`library/app`), at most 255 characters. */
export function isRepository(text: string): boolean {
  return text.length <= MAX_REPOSITORY && REPOSITORY.test(text);
}

/** Whether `text` is one or more whole repository components, each followed by a slash. */
export function isRepositoryPrefix(text: string): boolean {
  return text.length <= MAX_REPOSITORY && PREFIX.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Whether `text` is a digest; the length of the hash is checked for the algorithms that are registered. */
export function isDigest(text: string): boolean {
  if (text.length > 256 || !DIGEST.test(text)) return false;
  const [algorithm = '', hex = ''] = text.split(':');
  return KNOWN_HEX.get(algorithm)?.test(hex) ?? true;
}

/** `repository:tag` or `repository@digest`. */
export function imageName(repository: string, reference: string): string {
  return `${repository}${reference.includes(':') ? '@' : ':'}${reference}`;
}

/** The digest of bytes. */
export function sha256(bytes: Uint8Array): string {
  return `sha256:${hash('sha256', bytes, 'hex')}`;
}

/** Whether bytes have a digest. Undefined: its algorithm is not supported. */
export function isDigestOf(digest: string, bytes: Uint8Array): boolean | undefined {
  const [algorithm = '', hex = ''] = digest.split(':');
  return KNOWN_HEX.has(algorithm) ? hash(algorithm, bytes, 'hex') === hex : undefined;
}

/** Whether `isDigestOf` can tell. It costs nothing, where a digest of a manifest costs microseconds to milliseconds. */
export function canBeChecked(digest: string): boolean {
  return KNOWN_HEX.has(digest.slice(0, digest.indexOf(':')));
}

/** A tag or a digest. */
export function isReference(text: string): boolean {
  return isTag(text) || isDigest(text);
}
