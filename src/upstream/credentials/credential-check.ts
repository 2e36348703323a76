import type { Answer } from '../client.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import type { Authorizer } from './authorizer.ts';

/** For how long a token that a request was given shows that its user is not refused as such, in milliseconds. */
const TOKEN_PROOF_MS = 3_600_000;

/**
 * Shows an upstream the edge's own credentials.
 * @param ping the version check with an Authorization
 * @throws UpstreamError `credentials` if they are refused; others where nobody can say
 */
export async function checkCredentials(
  authorizer: Authorizer,
  ping: (authorization: string | undefined) => Promise<Answer>,
  signal: AbortSignal,
): Promise<void> {
  const asked = await ping(undefined);
  await asked.body.dump({ limit: 16_384, signal });
  // It asks nobody who they are.
  if (asked.status === 200) return;
  const challenge = asked.headers.joined('www-authenticate');
  const fresh =
    asked.status === 401 ? await unlessAborted(signal, freshAuthorization(authorizer, challenge)) : undefined;
  // Harbor with its database down asks for nothing that anybody could show.
  if (fresh === undefined) throw new UpstreamError('authority-dead', `/v2/ answers ${asked.status}`);
  // Its token service has said so by giving one.
  if (fresh.startsWith('Bearer ')) return;
  const { body, status } = await ping(fresh);
  await body.dump({ limit: 16_384, signal });
  if (status === 401 || status === 403)
    throw new UpstreamError('credentials', `/v2/ answers ${status}`, undefined, status);
  if (status !== 200) throw new UpstreamError('status-5xx', `/v2/ answers ${status}`);
}

/** @throws UpstreamError `credentials` only where the token service means them, and not that nothing in particular was asked for */
async function freshAuthorization(authorizer: Authorizer, challenge: string | undefined): Promise<string | undefined> {
  try {
    return await authorizer.freshAuthorization(challenge);
  } catch (error) {
    const { status } = asUpstreamError(error);
    const works = status === 403 && Date.now() - authorizer.lastTokenAt < TOKEN_PROOF_MS;
    if (status === undefined || status === 401 || (status === 403 && !works)) throw error;
    throw new UpstreamError('malformed', `the token service answers ${status} to a request for nothing in particular`);
  }
}
