import { hash } from 'node:crypto';
import { CopyError } from '../copy-error.ts';
import type { RemoteManifest } from '../registry/remote-registry.ts';

/**
 * The digest of a manifest; SHA-256 if the manifest was requested by a tag.
 * @throws CopyError if the manifest does not have the requested digest
 */
export function manifestDigest({ bytes }: RemoteManifest, reference: string): string {
  const algorithm = reference.includes(':') ? digestAlgorithm(reference) : 'sha256';
  const found = `${algorithm}:${hash(algorithm, bytes, 'hex')}`;
  if (reference.includes(':') && found !== reference)
    throw new CopyError(`the manifest ${reference} has wrong bytes: they are ${found}`);
  return found;
}

/** The registered algorithms (image-spec "Registered Algorithms") by their names in `node:crypto`. */
const ALGORITHMS = new Set(['sha256', 'sha384', 'sha512']);

/**
 * The algorithm of a digest.
 * @throws CopyError for an algorithm that cannot be verified here
 */
export function digestAlgorithm(digest: string): string {
  const [algorithm = ''] = digest.split(':');
  if (!ALGORITHMS.has(algorithm))
    throw new CopyError(`${digest.slice(0, 40)} cannot be verified: there is no digest algorithm ${algorithm} here`);
  return algorithm;
}
