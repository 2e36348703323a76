import { canBeChecked, isDigest, sha256 } from '../../oci/reference.ts';
import type { Served } from './attempt-result.ts';

/** The digest of the manifest that an upstream shows. Undefined if the upstream does not tell it. */
export function answerDigest({ answer, body }: Pick<Served, 'answer' | 'body'>): string | undefined {
  const told = answer.headers.get('docker-content-digest');
  const whole = answer.status === 200 && Buffer.isBuffer(body) ? body : undefined;
  // A claim in an algorithm that cannot be checked proves nothing.
  if (told !== undefined && isDigest(told) && (!whole || canBeChecked(told))) return told;
  return whole && sha256(whole);
}
