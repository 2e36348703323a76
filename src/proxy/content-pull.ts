import type { Route } from '../failover/rewrite.ts';
import type { Edge } from './edge.ts';
import type { Exchange } from './exchange.ts';
import { fetchBlobHead, fetchPull, type PullPlan, planAttempts, type Relayable } from './pull.ts';
import { absentCode, type ManifestRequest, type PullRequest, readingFor } from './reading.ts';
import { soundFirst } from './sound-copies.ts';

/** Stage 4 of a pull of anything but a manifest. @throws OciError, ClientGone */
export async function fetchContent(
  exchange: Exchange,
  edge: Edge,
  route: Route,
  request: Exclude<PullRequest, ManifestRequest>,
): Promise<Relayable> {
  const trafficClass = request.kind === 'blob' && request.method === 'GET' ? 'data' : 'control';
  const blobHead = request.kind === 'blob' && request.method === 'HEAD';
  const planned = () => {
    const attempts = planAttempts(edge, route, request.repository, trafficClass, blobHead);
    if (request.kind !== 'blob' || blobHead) return attempts;
    const whole = exchange.headers.range === undefined;
    return soundFirst(attempts, (upstream) => edge.copies.isRotten(upstream, request.digest), whole);
  };
  const plan: PullPlan = {
    route,
    attempts: planned(),
    reading: (attempt) => readingFor(exchange, edge, request, attempt),
    absent: absentCode(request),
  };
  exchange.passedOver = plan.attempts.find((attempt) => attempt.upstream === exchange.notes.preferred)?.why;
  const result = blobHead ? await fetchBlobHead(exchange, edge, plan, planned) : await fetchPull(exchange, edge, plan);
  if (request.kind === 'blob' && result.outcome === 'served') {
    const size = result.answer.status === 200 ? result.answer.headers.contentLength() : undefined;
    const { upstream, url, repository } = result.attempt;
    edge.upstreams.get(upstream)?.replica(url)?.canary.remember(repository, request.digest, size);
  }
  return result;
}
