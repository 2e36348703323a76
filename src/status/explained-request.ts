import { isoTime, monotonicNow } from '../clock/clock.ts';
import { OciError } from '../oci/error.ts';
import type { RequestRing, RequestStory } from './request-ring.ts';

/** What happened to one request. Times are ISO 8601 in UTC. */
export interface ExplainedRequest extends Omit<RequestStory, 'startedAt'> {
  /** When the edge told this. */
  at: string;
  /** When the request began. */
  began: string;
}

/** Characters of an id that are of the process; see `nextRequestId` in the proxy. */
const PROCESS = 10;

/** @throws OciError NAME_INVALID, NAME_UNKNOWN if the request is not among those that this edge remembers */
export function explainRequest(ring: RequestRing, id: string): ExplainedRequest {
  if (!/^[0-9a-z]{8,32}$/.test(id))
    throw new OciError('NAME_INVALID', 'a request id has 16 letters and digits, as X-Request-Id of a reply');
  const found = ring.find(id);
  if (!found) throw new OciError('NAME_UNKNOWN', unknown(ring, id), { status: 404 });
  const { startedAt, ...story } = found;
  return { at: isoTime(monotonicNow()), began: isoTime(startedAt), ...story };
}

function unknown(ring: RequestRing, id: string): string {
  const { oldest } = ring;
  if (!oldest) return `this edge knows nothing of request ${id}: no request has ended since it started`;
  if (oldest.id.slice(0, PROCESS) !== id.slice(0, PROCESS))
    return `this edge knows nothing of request ${id}: another edge got it, or this one before its last start`;
  const since = isoTime(oldest.startedAt).replace(/\.\d+Z$/, 'Z');
  return `request ${id} is not one of the last ${ring.size} of this edge, which began at ${since} or later: it is older, or has not ended yet`;
}
