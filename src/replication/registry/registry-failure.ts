import { retryAfterMs } from '../../failover/classify.ts';
import { parseChallenges } from '../../oci/challenge.ts';
import { readBody } from '../../upstream/body/read-body.ts';
import type { Answer } from '../../upstream/client.ts';
import type { HeaderList } from '../../upstream/header-list.ts';
import { CopyError } from '../copy-error.ts';

/** What of an answer tells why it is not as it should be. */
export interface FailedAnswer {
  status: number;
  headers: HeaderList;
  /** Whether it came from where a redirect led, and not from the registry itself. */
  redirected?: boolean;
}

/**
 * What an answer means that is not as it should be.
 * @param what that who does not do, for the operator
 * @param errorMessage what the registry told, if it did
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
  // Harbor without its database challenges with nothing; storage denies a signature that has expired, and the next one is good.
  if (status === 401) return parseChallenges(headers.joined('www-authenticate')).length === 0;
  return redirected && status === 403;
}

const MAX_ERROR_BYTES = 16_384;

/** Reads an answer to its end. @returns the first message in the body of an error (distribution-spec "Error Codes"), on one line */
export async function readErrorMessage(answer: Answer): Promise<string> {
  if (answer.status < 400) {
    await answer.body.dump({ limit: MAX_ERROR_BYTES });
    return '';
  }
  const text = (await readBody(answer.body, MAX_ERROR_BYTES).catch(() => Buffer.alloc(0))).toString('utf8');
  const [, message = ''] = /"message"\s*:\s*"((?:[^"\\]|\\.){0,300})/.exec(text) ?? [];
  return message.replace(/[^\x20-\x7e]/g, ' ');
}
