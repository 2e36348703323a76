import { hash } from 'node:crypto';
import { CopyError } from '../copy-error.ts';
import type { RemoteManifest } from '../registry/remote-registry.ts';

/** The digest of a manifest; SHA-256 where it was asked for by a tag. @throws CopyError if it is not what it was asked for as */
export function manifestDigest({ bytes }: RemoteManifest, reference: string): string {
  const algorithm = reference.includes(':') ? digestAlgorithm(reference) : 'sha256';
  const found = `${algorithm}:${hash(algorithm, bytes, 'hex')}`;
  if (reference.includes(':') && found !== reference)
    throw new CopyError(`the manifest ${reference} has wrong bytes: they are ${found}`);
  return found;
}

/** Those that are registered (image-spec "Registered Algorithms"), as `node:crypto` calls them. */
const ALGORITHMS = new Set(['sha256', 'sha384', 'sha512']);

/** The algorithm of a digest. @throws CopyError for one that cannot be, or is not to be, verified */
export function digestAlgorithm(digest: string): string {
  const [algorithm = ''] = digest.split(':');
  if (!ALGORITHMS.has(algorithm))
    throw new CopyError(`${digest.slice(0, 40)} cannot be verified: there is no digest algorithm ${algorithm} here`);
  return algorithm;
}
