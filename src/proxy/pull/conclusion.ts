import { readClocks } from '../../clock/clock.ts';
import { type AttemptEnding, type ConcludeFacts, conclude } from '../../failover/conclude.ts';
import type { OciError } from '../../oci/error.ts';
import type { Uses } from '../proxy-context.ts';
import type { PullPlan } from './pull-plan.ts';

/** The reply when no attempt served. */
export function conclusion(
  { upstreams }: Uses<'upstreams'>,
  endings: readonly AttemptEnding[],
  plan: Pick<PullPlan, 'absent' | 'content' | 'route'> & Pick<ConcludeFacts, 'soleCounts' | 'confinedTo'>,
): OciError {
  const { absent, content, route, soleCounts, confinedTo } = plan;
  const outage = (name: string) => {
    const view = upstreams.get(name)?.view();
    return view?.state === 'down' ? view : undefined;
  };
  const authority = route.onAbsent === 'stop' ? route.pull[0]?.upstream : undefined;
  return conclude(endings, absent, { content, authority, soleCounts, confinedTo, outage, now: readClocks() });
}
