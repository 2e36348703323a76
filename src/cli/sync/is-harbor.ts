import { parseChallenges } from '../../oci/challenge.ts';
import type { Connection } from '../../upstream/connection.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';

const ANSWER_MS = 10_000;

/** Whether a registry says that it is Harbor's, which lists more in an API of its own; false where nobody can say. */
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
