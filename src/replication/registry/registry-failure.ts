import { retryAfterMs } from '../../failover/classify.ts';
import { parseChallenges } from '../../oci/challenge.ts';
import { dropBody, readExplanation } from '../../upstream/body/explanatory-body.ts';
import type { Answer } from '../../upstream/client.ts';
import type { HeaderList } from '../../upstream/header-list.ts';
import { CopyError } from '../copy-error.ts';

/** The part of an answer that tells why a request failed. */
export interface FailedAnswer {
  status: number;
  headers: HeaderList;
  /** Whether the answer came from the target of a redirect. */
  redirected?: boolean;
}

/**
 * Makes an error from an unexpected answer.
 * @param what the registry and what it failed to do, for the operator
 * @param errorMessage the message of the registry, if there is one
 */
export function registryFailure(answer: FailedAnswer, what: string, errorMessage = ''): CopyError {
  const { status, headers } = answer;
  const retryAfter = headers.get('retry-after');
  const hasRetryAfter = status === 429 || (status === 503 && retryAfter !== undefined);
  return new CopyError(`${what} (${status}${errorMessage === '' ? '' : `: ${errorMessage}`})`, {
    status,
    retryable: isRetryable(answer),
    ...(hasRetryAfter ? { retryAfterMs: retryAfterMs(retryAfter, Date.now()) } : {}),
  });
}

function isRetryable({ status, headers, redirected = false }: FailedAnswer): boolean {
  if (status === 408 || status === 425 || status === 429) return true;
  if (status >= 500) return status !== 501 && status !== 505;
  // Harbor without its database sends no challenge. Storage answers 403 to an expired signature, and a new redirect brings a new signature.
  if (status === 401) return parseChallenges(headers.joined('www-authenticate')).length === 0;
  return redirected && status === 403;
}

/** Bytes of an error's body that are read. */
export const MAX_ERROR_BYTES = 16_384;

/**
 * Reads an answer whose status settles the matter to its end, or drops the rest of a body that does not arrive.
 * @returns the first error message in its body (distribution-spec "Error Codes"), on one line
 */
export async function readErrorMessage(answer: Answer): Promise<string> {
  if (answer.status < 400) {
    await dropBody(answer.body);
    return '';
  }
  const text = (await readExplanation(answer.body))?.toString('utf8') ?? '';
  const [, message = ''] = /"message"\s*:\s*"((?:[^"\\]|\\.){0,300})/.exec(text) ?? [];
  return message.replace(/[^\x20-\x7e]/g, ' ');
}
