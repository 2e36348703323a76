import { contentProblem } from '../../oci/answer-content.ts';
import type { UpstreamWords } from '../../oci/error.ts';
import { errorWords } from '../../oci/error-words.ts';
import { isSchema1Type } from '../../oci/manifest-type.ts';
import { isDigestOf } from '../../oci/reference.ts';
import { signedPayload } from '../../oci/schema1.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import type { AnswerHead, UpstreamRead } from './attempt-result.ts';

/**
 * Checks a whole body: against the requested digest, against the digest that the upstream claims, and whether it is the kind of content
 * that was asked for.
 * @throws UpstreamError
 */
export function checkBody(body: Buffer, { digest, content }: UpstreamRead, { headers }: AnswerHead): void {
  const claimed = headers.get('docker-content-digest');
  // The digest of a conversion to schema 1 is that of what was signed.
  const signed = isSchema1Type(headers.get('content-type')) ? signedPayload(body) : undefined;
  for (const one of claimed === digest ? [digest] : [digest, claimed]) {
    if (one !== undefined && isDigestOf(one, body) === false && (!signed || isDigestOf(one, signed) === false))
      throw new UpstreamError('digest', `its content does not have the digest ${one}`);
  }
  const problem = contentProblem(content, body);
  if (problem !== undefined) throw new UpstreamError('malformed', problem);
}

/**
 * What the upstream says about a 404, in the client's names. The status settles the matter, so a body that breaks off counts for nothing.
 * @param reading resolves with the body of the answer
 */
export async function wordsOf(
  reading: Promise<Buffer | undefined>,
  read: UpstreamRead,
): Promise<UpstreamWords | undefined> {
  const body = await reading.catch(() => undefined);
  return body && errorWords(read.inClientNames?.(body) ?? body);
}
