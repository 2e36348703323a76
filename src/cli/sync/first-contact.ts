import { parseChallenges } from '../../oci/challenge.ts';
import type { Connection } from '../../upstream/connection.ts';
import { asUpstreamError, UpstreamError } from '../../upstream/upstream-error.ts';

const CONTACT_MS = 10_000;

/**
 * Whether there is a registry that lets us in, so that a wrong name or password is told at once and not after all patience.
 * @throws UpstreamError with the registry's name; the signal's reason
 */
export async function firstContact(name: string, connection: Connection, signal: AbortSignal): Promise<void> {
  const { host } = connection.url;
  const called = name === host ? host : `${name} (${host})`;
  const soon = AbortSignal.any([signal, AbortSignal.timeout(CONTACT_MS)]);
  try {
    await (connection.credentialCheck ? connection.credentialCheck(soon) : anonymous(connection, soon));
  } catch (error) {
    signal.throwIfAborted();
    if (soon.aborted) throw new UpstreamError('first-byte', `${called} does not answer in ${CONTACT_MS / 1000} s`);
    const { reason, message } = asUpstreamError(error);
    const what = reason === 'credentials' ? 'refuses the credentials' : 'cannot be used';
    throw new UpstreamError(reason, `${called} ${what}: ${message}`, error);
  }
}

async function anonymous(connection: Connection, signal: AbortSignal): Promise<void> {
  const call = { method: 'GET', path: '/v2/', headers: {}, scopes: [], signal, redirects: 'follow' } as const;
  const { status, headers, body } = await connection.send(call);
  await body.dump({ limit: 16_384, signal });
  if (status === 200) return;
  const schemes = parseChallenges(headers.joined('www-authenticate')).map(({ scheme }) => scheme);
  if (status !== 401) throw new UpstreamError('status-5xx', `/v2/ answers ${status}, so that it is no registry`);
  // With tokens it may let nobody in particular read.
  if (!schemes.includes('bearer')) throw new UpstreamError('authority-dead', 'it wants a user, and none was given');
}
