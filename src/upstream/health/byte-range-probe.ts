import { randomInt } from 'node:crypto';
import { readClocks } from '../../clock/clock.ts';
import { overloadMs, REDIRECTS } from '../../failover/classify.ts';
import type { CanaryState } from '../../failover/view.ts';
import { parseChallenges } from '../../oci/challenge.ts';
import type { Answer } from '../client.ts';

export interface CanaryReading {
  state: CanaryState;
  reason: string;
  /** The upstream is overloaded and asks for fewer requests for so many milliseconds. That is no sign of an outage. */
  retryAfterMs?: number;
  /** Status of a bad answer. */
  status?: number;
}

/**
 * Sends a GET, or another read, with the probe's credentials.
 * @param path below the upstream's URL
 * @param scopes for the token; `api` sends Basic credentials and no token, as Harbor's API needs
 * @param method default: GET
 */
export type ProbeGet = (
  path: string,
  headers: Record<string, string>,
  scopes: string[] | 'api',
  method?: 'GET' | 'HEAD',
) => Promise<Answer>;

/** A blob that the probe can read a byte of. */
export interface ProbedBlob {
  repository: string;
  digest: string;
  /** Bytes, if known. */
  size?: number | undefined;
}

/** Bytes read at most of an answer that is longer than the range. */
const MAX_ANSWER_BYTES = 65_536;

/**
 * Reads one byte, or more, at a random offset: the first byte may come from a page cache while storage hangs.
 * @param what names the blob in reasons
 * @param length bytes, if the blob has as many
 */
export async function readRandomBytes(
  blob: ProbedBlob,
  get: ProbeGet,
  what: string,
  length = 1,
): Promise<CanaryReading> {
  const offset = randomInt(Math.max(1, Math.min((blob.size ?? 0) - length + 1, 2 ** 47)));
  const range = { range: `bytes=${offset}-${offset + length - 1}` };
  const answer = await get(`/v2/${blob.repository}/blobs/${blob.digest}`, range, [pullScope(blob.repository)]);
  const { status } = answer;
  if (status === 401 && parseChallenges(answer.headers.joined('www-authenticate')).length > 0) {
    await answer.body.dump({ limit: 16_384 });
    return { state: 'none', reason: 'the probe has no credentials to read a blob' };
  }
  if (REDIRECTS.has(status)) {
    // With `redirects: pass`, a redirect shows that the registry has found the blob. Its target may be out of
    // Breakwater's reach.
    await answer.body.dump({ limit: 16_384 });
    return { state: 'good', reason: `${what} was found` };
  }
  if (status !== 206 && status !== 200) return failingReading(`${what} answers ${status}`, answer);
  return (await hasByte(answer, length))
    ? { state: 'good', reason: `${what} was read` }
    : { state: 'failing', reason: `${what} has no bytes` };
}

/** Reads the answer to its end, so that the connection can be used again. @param wanted bytes; an answer to no range has more */
async function hasByte({ status, body }: Answer, wanted: number): Promise<boolean> {
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if ((status === 200 && length >= wanted) || length > MAX_ANSWER_BYTES) break;
  }
  return length > 0;
}

export async function failingReading(reason: string, answer: Answer): Promise<CanaryReading> {
  await answer.body.dump({ limit: 16_384 });
  return { state: 'failing', reason, status: answer.status, ...overloadOf(answer) };
}

/** What an answer says of an overload. */
export function overloadOf({ status, headers }: Pick<Answer, 'status' | 'headers'>): { retryAfterMs?: number } {
  const retryAfterMs = overloadMs({ status, retryAfter: headers.get('retry-after') }, readClocks().wall);
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}
