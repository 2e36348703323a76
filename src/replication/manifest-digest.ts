import { CopyError } from './copy-error.ts';
import { type RemoteManifest, sha256 } from './remote-registry.ts';

/** @throws CopyError if it is not what it was asked for as */
export function digestOf({ bytes }: RemoteManifest, reference: string): string {
  const found = sha256(bytes);
  if (!reference.startsWith('sha256:')) return reference.includes(':') ? reference : found;
  if (found !== reference) throw new CopyError(`the manifest ${reference} has wrong bytes: they are ${found}`);
  return reference;
}
