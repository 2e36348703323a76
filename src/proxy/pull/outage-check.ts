import { monotonicNow } from '../../clock/clock.ts';
import type { Failure } from '../../failover/classify.ts';
import { type Attempt, obstacleTo } from '../../failover/plan.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { withinLimit } from '../../upstream/within-limit.ts';

/** An attempt that failed. */
export interface FailedAttempt {
  attempt: Attempt;
  reason: Failure | undefined;
  /** On the clock of `performance.now`. */
  started: number;
  /** Milliseconds after which a silent canary counts as failing. */
  limitMs: number;
}

/** Failures that show by themselves that the upstream does not reach its storage. */
const OUTAGES = new Set<Failure>(['canary', 'unproven']);

/**
 * Whether an attempt failed because its upstream is out for everybody. One client can make a well upstream fail for its own request: by what
 * it asks for, or by holding all places that it may have. So the failure alone is no evidence (rule 8). The canary decides, as it is
 * answered after the failure.
 */
export async function isOutage(
  upstream: Upstream,
  { attempt: { url, class: trafficClass }, reason, started, limitMs }: FailedAttempt,
): Promise<boolean> {
  if (reason !== undefined && OUTAGES.has(reason)) return true;
  const isKnown = () => {
    const view = upstream.replica(url)?.view();
    return !view || obstacleTo(view, trafficClass, monotonicNow(), undefined) !== undefined;
  };
  if (isKnown() || upstream.view().unhealthy.includes('database')) return true;
  const since = monotonicNow() - (performance.now() - started);
  const canary = await withinLimit(upstream.confirmCanary(url, since), limitMs);
  return canary === 'failing' || canary === 'late' || isKnown();
}
