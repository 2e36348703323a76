import { parseChallenges } from '../../oci/challenge.ts';
import type { Connection } from '../../upstream/connection.ts';
import { asUpstreamError, UpstreamError } from '../../upstream/upstream-error.ts';

const ANSWER_MS = 10_000;

/**
 * Checks that a registry answers and accepts the credentials, so that a wrong host or password fails at once, without retries.
 * @throws UpstreamError with the registry's name @throws the signal's reason
 */
export async function checkAccess(name: string, connection: Connection, signal: AbortSignal): Promise<void> {
  const { host } = connection.url;
  const label = name === host ? host : `${name} (${host})`;
  const soon = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    await (connection.credentialCheck ? connection.credentialCheck(soon) : anonymous(connection, soon));
  } catch (error) {
    signal.throwIfAborted();
    if (soon.aborted) throw new UpstreamError('first-byte', `${label} does not answer within ${ANSWER_MS / 1000} s`);
    const { reason, message } = asUpstreamError(error);
    const what = reason === 'credentials' ? 'refuses the credentials' : 'cannot be used';
    throw new UpstreamError(reason, `${label} ${what}: ${message}`, error);
  }
}

async function anonymous(connection: Connection, signal: AbortSignal): Promise<void> {
  const call = { method: 'GET', path: '/v2/', headers: {}, scopes: [], signal, redirects: 'follow' } as const;
  const { status, headers, body } = await connection.send(call);
  await body.dump({ limit: 16_384, signal });
  if (status === 200) return;
  const schemes = parseChallenges(headers.joined('www-authenticate')).map(({ scheme }) => scheme);
  if (status !== 401) throw new UpstreamError('status-5xx', `/v2/ answers ${status}, so this is not a registry`);
  // A token service may give out anonymous tokens; Basic needs a user.
  if (!schemes.includes('bearer'))
    throw new UpstreamError('authority-dead', 'it requires a user, and the command names none');
}

/** Whether the registry is Harbor, whose own API lists more repositories; false if that is unknown. */
export async function isHarbor(connection: Connection, signal: AbortSignal): Promise<boolean> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    const url = new URL('/v2/', connection.url);
    const { headers, body } = await connection.sendElsewhere(url, { method: 'GET', headers: {}, signal: soon });
    await body.dump({ limit: 16_384, signal: soon });
    const challenges = parseChallenges(headers.joined('www-authenticate'));
    return challenges.some(({ parameters }) => parameters.service === 'harbor-registry');
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UpstreamError || soon.aborted) return false;
    throw error;
  }
}
