import type { Attempt } from '../../failover/plan.ts';
import type { Route } from '../../failover/rewrite.ts';
import type { Exchange } from '../exchange.ts';
import type { PullContext } from '../proxy-context.ts';
import { fetchForPush, fetchPull, planAttempts } from './pull.ts';
import { CORRUPT_COPY, corruptCopiesLast, type PullPlan, type Relayable } from './pull-plan.ts';
import { hidingUpstream, type ManifestRequest, noteShown, type PullRequest, pullPlan } from './upstream-read.ts';

/** Stage 4 of a pull of a blob or a list. @throws OciError, ClientGone */
export async function fetchContent(
  exchange: Exchange,
  context: PullContext,
  route: Route,
  request: Exclude<PullRequest, ManifestRequest>,
): Promise<Relayable> {
  const trafficClass = request.kind === 'blob' && request.method === 'GET' ? 'data' : 'control';
  const blobHead = request.kind === 'blob' && request.method === 'HEAD';
  const isCorrupt = (upstream: string) => request.kind === 'blob' && context.copies.isCorrupt(upstream, request.digest);
  const planned = () => {
    const hiding = hidingUpstream(exchange, context, route, request.repository);
    const options = { blobHead, hiding };
    const attempts = planAttempts(exchange, context, route, request.repository, trafficClass, options);
    if (blobHead) return attempts;
    const whole = exchange.range === undefined;
    // What another upstream shows in place of a corrupt copy may be what this one hides (rule 3). A part of such a copy is not used (rule 2).
    const hides = ({ upstream, lastResort }: Attempt) => upstream === hiding && !lastResort && isCorrupt(upstream);
    if (attempts.some(hides)) return whole ? attempts : [];
    return corruptCopiesLast(attempts, isCorrupt, whole);
  };
  const plan: PullPlan = {
    ...pullPlan(exchange, context, route, request, planned()),
    // The copy may have been repaired, but if it was not, its client would have to pull again. Other copies come
    // first.
    isLastResort: ({ upstream }) => isCorrupt(upstream),
  };
  const { plan: notes } = exchange.notes;
  const { preferred = '' } = notes;
  const asked = plan.attempts.find((attempt) => attempt.upstream === preferred);
  notes.passedOver = asked?.why ?? (isCorrupt(preferred) ? CORRUPT_COPY : undefined);
  const read = (asked: PullPlan) => fetchPull(exchange, context, asked);
  const forPush = blobHead || exchange.permit.forPush === true;
  const result = await (forPush ? fetchForPush(exchange, context, plan, planned, read) : read(plan));
  noteShown(exchange, context, request, result);
  if (request.kind === 'blob' && result.outcome === 'served') {
    const size = result.answer.status === 200 ? result.answer.headers.contentLength() : undefined;
    const { upstream, url, repository } = result.attempt;
    context.upstreams
      .get(upstream)
      ?.replica(url)
      ?.canary.rememberServed(repository, request.digest, size, exchange.requester);
  }
  return result;
}
