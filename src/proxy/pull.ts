import { absenceEnds, conclude, type Ending } from '../failover/conclude.ts';
import { type Attempt, planPull } from '../failover/plan.ts';
import type { Route } from '../failover/rewrite.ts';
import type { ErrorCode } from '../oci/error.ts';
import { OciError } from '../oci/error.ts';
import { type AttemptResult, attemptRead, type Reading } from './attempt.ts';
import type { Edge } from './edge.ts';
import type { Exchange } from './exchange.ts';

export interface PullPlan {
  route: Route;
  attempts: Attempt[];
  /** What is read from an upstream in whose names `repository` is. */
  reading(attempt: Attempt): Reading;
  /** Nobody is waited for against the word of its canary, because another plan follows this one. */
  hasty?: boolean;
  /** Code of the 404 when it is nowhere. */
  absent: ErrorCode;
}

export type Relayable = Exclude<AttemptResult, { outcome: 'absent' | 'failed' }> & { attempt: Attempt };

/** A client has its headers, or a clear error, within 10 s. */
const TOTAL_MS = 9500;
/** What is left to each later attempt when an earlier one takes all it may. */
const RESERVE_MS = 1000;

/** Stage 3 of a pull: upstreams and URLs in the order in which they will be asked. */
export function planAttempts(
  edge: Edge,
  route: Route,
  repository: string,
  trafficClass: 'control' | 'data',
  blobHead: boolean,
): Attempt[] {
  return planPull({ route, repository, class: trafficClass, blobHead }, edge.views(), edge.turn(), Date.now());
}

/**
 * Stage 4 of a pull: asks one upstream after the other until one gives an answer that can be relayed.
 * @throws OciError 404 or 503 as `conclude` has it; ClientGone
 */
export async function fetchPull(exchange: Exchange, edge: Edge, plan: PullPlan): Promise<Relayable> {
  const endings: Ending[] = [];
  const preferred = plan.route.pull[0]?.upstream;
  if (preferred !== undefined) exchange.notes.preferred = preferred;
  exchange.passedOver = plan.attempts.find((attempt) => attempt.upstream === preferred)?.why;
  const queue = [...plan.attempts];
  for (const [index, attempt] of queue.entries()) {
    // As long as somebody has not been asked at all, nobody is waited for against the word of its canary.
    const patient = plan.hasty !== true && index >= plan.attempts.length - 1;
    const limit = { ms: timeFor(edge, attempt, exchange.elapsed(), queue.length - index - 1), patient };
    const result = await tryOne(exchange, edge, attempt, plan.reading(attempt), limit);
    if (result.outcome !== 'absent' && result.outcome !== 'failed') return { ...result, attempt };
    if (result.outcome === 'failed' && result.early && plan.hasty !== true) queue.push(attempt);
    else endings.push({ upstream: attempt.upstream, ...result });
    if (result.outcome !== 'absent') continue;
    const absence = { confirmed: result.confirmed, preferred: attempt.upstream === preferred };
    if (absenceEnds(absence, plan.route.onAbsent)) throw new OciError(plan.absent);
  }
  throw conclude(endings, plan.absent);
}

/**
 * The same for a HEAD of a blob, which a push asks for. Where the push upstream alone may answer it and fails, its canary decides
 * whether it still takes writes; if not, the others may answer, and the push goes on to be refused with a reason that clients show.
 */
export async function fetchBlobHead(
  exchange: Exchange,
  edge: Edge,
  plan: PullPlan,
  replan: () => Attempt[],
): Promise<Relayable> {
  const asked = plan.attempts[0];
  const only = plan.attempts.every((attempt) => attempt.upstream === plan.route.push?.upstream);
  try {
    return await fetchPull(exchange, edge, { ...plan, hasty: only });
  } catch (error) {
    if (!(error instanceof OciError) || error.status !== 503 || !asked || !only) throw error;
    await edge.upstreams.get(asked.upstream)?.confirmCanary(asked.url);
    const attempts = replan();
    if (attempts.length === 0 || attempts.some((attempt) => attempt.upstream === asked.upstream)) throw error;
    return fetchPull(exchange, edge, { ...plan, attempts });
  }
}

function timeFor(edge: Edge, attempt: Attempt, elapsed: number, later: number): number {
  const deadlines = edge.upstreams.get(attempt.upstream)?.config.deadlines;
  const own = (attempt.class === 'data' ? deadlines?.blob : deadlines?.manifest) ?? RESERVE_MS;
  return Math.round(Math.min(own, TOTAL_MS - elapsed - later * RESERVE_MS));
}

async function tryOne(
  exchange: Exchange,
  edge: Edge,
  attempt: Attempt,
  reading: Reading,
  limit: { ms: number; patient: boolean },
): Promise<AttemptResult> {
  const upstream = edge.upstreams.get(attempt.upstream);
  const started = performance.now();
  const result: AttemptResult =
    !upstream || limit.ms <= 0
      ? { outcome: 'failed', reason: 'out-of-time', detail: 'no time was left to ask it' }
      : await attemptRead(upstream, attempt, reading, limit, exchange.gone);
  exchange.attempts.push({
    upstream: attempt.upstream,
    url: attempt.url,
    class: attempt.class,
    outcome: result.outcome === 'redirect' ? 'served' : result.outcome,
    ...('reason' in result ? { reason: result.reason, detail: result.detail } : {}),
    ...('answer' in result ? { status: result.answer.status } : {}),
    ms: Math.round(performance.now() - started),
  });
  return result;
}
