import { monotonicNow } from '../../clock/clock.ts';
import type { Answer } from '../client.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import type { Authorizer } from './authorizer.ts';

/** Milliseconds for which a token given for a request proves that its user is accepted. */
const TOKEN_PROOF_MS = 3_600_000;

/**
 * Checks whether an upstream accepts Breakwater's own credentials.
 * @param ping the version check with an Authorization
 * @throws UpstreamError `credentials` when they are refused; another reason when the check is inconclusive
 */
export async function checkCredentials(
  authorizer: Authorizer,
  ping: (authorization: string | undefined) => Promise<Answer>,
  signal: AbortSignal,
): Promise<void> {
  const asked = await ping(undefined);
  await asked.body.dump({ limit: 16_384, signal });
  // The upstream needs no credentials.
  if (asked.status === 200) return;
  const challenge = asked.headers.joined('www-authenticate');
  const fresh =
    asked.status === 401 ? await unlessAborted(signal, freshAuthorization(authorizer, challenge)) : undefined;
  // With its database down, Harbor answers without a usable challenge.
  if (fresh === undefined) throw new UpstreamError('authority-dead', `/v2/ answers ${asked.status}`);
  // A token service that gives a token has accepted the user.
  if (fresh.startsWith('Bearer ')) return;
  const { body, status } = await ping(fresh);
  await body.dump({ limit: 16_384, signal });
  if (status === 401 || status === 403)
    throw new UpstreamError('credentials', `/v2/ answers ${status}`, undefined, status);
  if (status !== 200) throw new UpstreamError('status-5xx', `/v2/ answers ${status}`);
}

/**
 * @throws UpstreamError `credentials` only when the token service refuses the user, and not the request without a scope
 */
async function freshAuthorization(authorizer: Authorizer, challenge: string | undefined): Promise<string | undefined> {
  try {
    return await authorizer.freshAuthorization(challenge);
  } catch (error) {
    const { status } = asUpstreamError(error);
    const works = status === 403 && monotonicNow() - authorizer.lastTokenAt < TOKEN_PROOF_MS;
    if (status === undefined || status === 401 || (status === 403 && !works)) throw error;
    throw new UpstreamError('malformed', `the token service answers ${status} to a request without a scope`);
  }
}
