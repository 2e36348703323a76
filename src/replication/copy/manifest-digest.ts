import { hash } from 'node:crypto';
import { CopyError } from '../copy-error.ts';
import type { RemoteManifest } from '../registry/remote-registry.ts';
import { algorithmOf } from './digest-algorithm.ts';

/** The digest of a manifest; SHA-256 where it was asked for by a tag. @throws CopyError if it is not what it was asked for as */
export function digestOf({ bytes }: RemoteManifest, reference: string): string {
  const algorithm = reference.includes(':') ? algorithmOf(reference) : 'sha256';
  const found = `${algorithm}:${hash(algorithm, bytes, 'hex')}`;
  if (reference.includes(':') && found !== reference)
    throw new CopyError(`the manifest ${reference} has wrong bytes: they are ${found}`);
  return found;
}
