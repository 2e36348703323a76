import { monotonicNow } from '../../clock/clock.ts';
import type { Failure } from '../../failover/classify.ts';
import { type Attempt, obstacleTo } from '../../failover/plan.ts';
import type { Upstream } from '../../upstream/upstream.ts';

/** Failures that show by themselves that the upstream does not reach its storage. */
const OUTAGES = new Set<Failure>(['canary', 'unproven']);

/**
 * Whether an attempt failed because its upstream is out for everybody. One client can make a well upstream fail for its own request: by what
 * it asks for, or by holding all places that it may have. So the failure alone is no evidence (rule 8): the canary, read after it, decides.
 */
export async function isOutage(
  upstream: Upstream,
  { url, class: trafficClass }: Attempt,
  reason: Failure | undefined,
): Promise<boolean> {
  if (reason !== undefined && OUTAGES.has(reason)) return true;
  const isKnown = () => {
    const view = upstream.replica(url)?.view();
    return !view || obstacleTo(view, trafficClass, monotonicNow(), undefined) !== undefined;
  };
  if (isKnown() || upstream.view().unhealthy.includes('database')) return true;
  return (await upstream.confirmCanary(url)) === 'failing' || isKnown();
}
