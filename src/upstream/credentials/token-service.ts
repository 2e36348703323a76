import type { Failure } from '../../failover/classify.ts';
import { readJson } from '../body/read-body.ts';
import type { Client } from '../client.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import type { Token } from './authorizer.ts';

const MAX_BODY = 262_144;
const MIN_SECONDS = 60;
const MAX_SECONDS = 86_400;

/**
 * Asks a token service for a token (docker token protocol, GET).
 * @param authorization of the user, if there is one
 * @param limitMs milliseconds for all of it
 * @throws UpstreamError whose message holds nothing but the service's host
 */
export async function fetchToken(
  client: Client,
  realm: URL,
  authorization: string | undefined,
  limitMs: number,
): Promise<Token> {
  const signal = AbortSignal.timeout(limitMs);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (authorization !== undefined) headers.authorization = authorization;
  try {
    const answer = await client.sendElsewhere(realm, { method: 'GET', path: '', headers, signal });
    if (answer.status === 200) return tokenOf(await readJson(answer.body, MAX_BODY), realm);
    await answer.body.dump({ limit: 65_536 });
    throw new UpstreamError(
      refusalReason(answer.status),
      `the token service at ${realm.host} answers ${answer.status}`,
      undefined,
      answer.status,
    );
  } catch (error) {
    if (signal.aborted)
      throw new UpstreamError('first-byte', `the token service at ${realm.host} did not answer in time`);
    throw asUpstreamError(error);
  }
}

function refusalReason(status: number): Failure {
  if (status === 429) return 'rate-limited';
  return status >= 500 ? 'status-5xx' : 'credentials';
}

function tokenOf(reply: unknown, realm: URL): Token {
  const fields: Record<string, unknown> = typeof reply === 'object' && reply !== null ? { ...reply } : {};
  const value = fields.token ?? fields.access_token;
  if (typeof value !== 'string' || value === '' || /[^\x21-\x7e]/.test(value)) {
    throw new UpstreamError('malformed', `the token service at ${realm.host} sent no token`);
  }
  const expiresIn = fields.expires_in;
  // The token protocol's default; clients must never assume less.
  const seconds = typeof expiresIn === 'number' ? expiresIn : MIN_SECONDS;
  return { value, expiresIn: Math.min(Math.max(seconds, MIN_SECONDS), MAX_SECONDS) };
}
