import { CopyError } from '../copy-error.ts';

/** Those that are registered (image-spec "Registered Algorithms"), as `node:crypto` calls them. */
const REGISTERED = new Set(['sha256', 'sha384', 'sha512']);

/** The algorithm of a digest. @throws CopyError for one that cannot be, or is not to be, verified */
export function algorithmOf(digest: string): string {
  const [algorithm = ''] = digest.split(':');
  if (!REGISTERED.has(algorithm))
    throw new CopyError(`${digest.slice(0, 40)} cannot be verified: there is no digest algorithm ${algorithm} here`);
  return algorithm;
}
