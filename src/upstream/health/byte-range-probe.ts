import { randomInt } from 'node:crypto';
import type { CanaryState } from '../../failover/view.ts';
import { parseChallenges } from '../../oci/challenge.ts';
import type { Answer } from '../client.ts';

export interface CanaryReading {
  state: CanaryState;
  reason: string;
}

/**
 * Sends a GET with the probe's credentials.
 * @param path below the upstream's URL
 * @param scopes what a token must allow; `api`: no token will do, as for Harbor's API
 */
export type ProbeGet = (path: string, headers: Record<string, string>, scopes: string[] | 'api') => Promise<Answer>;

/** A blob of which a byte can be read. */
export interface ProbedBlob {
  repository: string;
  digest: string;
  /** Bytes, where it is known. */
  size: number | undefined;
}

/** Of an answer that is longer than was asked for, no more than this is read. */
const MAX_BYTE = 65_536;
const REDIRECTS = [301, 302, 303, 307, 308];

/** A random byte: the first one may come from a page cache while storage hangs. */
export async function readByte(
  blob: ProbedBlob,
  get: ProbeGet,
  what: string,
): Promise<CanaryReading & { status?: number }> {
  const offset = blob.size !== undefined && blob.size > 0 ? randomInt(Math.min(blob.size, 2 ** 47)) : 0;
  const range = { range: `bytes=${offset}-${offset}` };
  const answer = await get(`/v2/${blob.repository}/blobs/${blob.digest}`, range, [pullScope(blob.repository)]);
  const { status } = answer;
  if (status === 401 && parseChallenges(answer.headers.joined('www-authenticate')).length > 0) {
    await answer.body.dump({ limit: 16_384 });
    return { state: 'none', reason: 'the probe has no credentials to read a blob with' };
  }
  if (REDIRECTS.includes(status)) {
    // Redirects are passed on here: the registry has found the blob, and clients fetch it from where the edge may not reach.
    await answer.body.dump({ limit: 16_384 });
    return { state: 'good', reason: `${what} was found` };
  }
  if (status !== 206 && status !== 200) return { ...(await failing(`${what} answers ${status}`, answer)), status };
  return (await hasByte(answer))
    ? { state: 'good', reason: `${what} was read` }
    : { state: 'failing', reason: `${what} has no bytes` };
}

/** The one byte that was asked for is read to its end, so that its connection can be used again. */
async function hasByte({ status, body }: Answer): Promise<boolean> {
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > 0 && (status === 200 || length > MAX_BYTE)) break;
  }
  return length > 0;
}

export async function failing(reason: string, answer: Answer): Promise<CanaryReading> {
  await answer.body.dump({ limit: 16_384 });
  return { state: 'failing', reason };
}

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}
