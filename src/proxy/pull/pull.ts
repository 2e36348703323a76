import { monotonicNow } from '../../clock/clock.ts';
import { type Attempt, planPull } from '../../failover/plan.ts';
import type { Route } from '../../failover/rewrite.ts';
import { OciError } from '../../oci/error.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import type { PullPlan, PullScope, Relayable } from './pull-plan.ts';
import { Race } from './race.ts';

/** What the plan of a pull has to know beside its route. */
export interface PlanOptions {
  /** The request is a HEAD of a blob. */
  blobHead?: boolean;
  /** See `PullInput`. */
  hiding?: string | undefined;
}

/** Stage 3 of a pull: the upstreams and URLs in the order in which they will be asked. */
export function planAttempts(
  { permit, visible, requester: client }: Pick<Exchange, 'permit' | 'requester' | 'visible'>,
  { views, turn }: Uses<'views' | 'turn'>,
  route: Route,
  repository: string,
  trafficClass: 'control' | 'data',
  { blobHead = false, hiding }: PlanOptions = {},
): Attempt[] {
  const forPush = permit.forPush === true;
  const input = { route, repository, class: trafficClass, blobHead, forPush, visible, client, hiding };
  return planPull(input, views(), turn(), monotonicNow());
}

/**
 * Stage 4 of a pull: asks one upstream after the other, and the next one in parallel if one is late, until an answer
 * can be relayed.
 * @throws OciError 404 or 503 as `conclude` says; ClientGone
 */
export async function fetchPull(scope: PullScope, context: Uses<'upstreams'>, plan: PullPlan): Promise<Relayable> {
  return new Race(scope, context, plan).run();
}

/**
 * A read that is part of a push. If only the push upstream may answer and it fails, its canary decides whether it
 * still takes writes. If it does not, the other upstreams may answer, so that the push itself is refused with a
 * reason that clients show.
 * @param read reads by a plan
 */
export async function fetchForPush<T>(
  { permit, method }: Exchange,
  context: Uses<'upstreams'>,
  plan: PullPlan,
  replan: () => Attempt[],
  read: (plan: PullPlan) => Promise<T>,
): Promise<T> {
  try {
    return await fetchFromPushUpstream(context, plan, replan, read);
  } catch (error) {
    const gate = context.upstreams.get(plan.route.push?.upstream ?? '')?.view().gate;
    // Clients show no reason when a HEAD fails. After a 404 they push, and the refusal of the push has the reason.
    const isLook = permit.forPush === true && method === 'HEAD';
    if (isLook && gate?.mode === 'refusing' && error instanceof OciError && error.status === 503)
      throw new OciError(plan.absent);
    throw error;
  }
}

async function fetchFromPushUpstream<T>(
  context: Uses<'upstreams'>,
  plan: PullPlan,
  replan: () => Attempt[],
  read: (plan: PullPlan) => Promise<T>,
): Promise<T> {
  const asked = plan.attempts[0];
  const only = plan.attempts.every((attempt) => attempt.upstream === plan.route.push?.upstream);
  try {
    return await read({ ...plan, untilCanaryFails: only });
  } catch (error) {
    if (!(error instanceof OciError) || error.status !== 503 || !asked || !only) throw error;
    await context.upstreams.get(asked.upstream)?.confirmCanary(asked.url);
    const attempts = replan().filter(({ upstream }) => upstream !== asked.upstream);
    if (context.upstreams.get(asked.upstream)?.view().gate.mode !== 'refusing' || attempts.length === 0) throw error;
    return read({ ...plan, attempts });
  }
}
