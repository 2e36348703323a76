import { upstreamSchema } from '../../src/config/upstream-schema.ts';
import { timeLimit } from './time-limit.ts';

/**
 * Milliseconds to which deadlines of one attempt grow. The edge gives a whole request 9.5 s, whatever the factor is, and the attempt after
 * a silent upstream needs some of it.
 */
const MAX_ATTEMPT_MS = 4000;
const OF_ATTEMPTS = new Set(['connect', 'manifest', 'blob']);

/**
 * The same configuration for a machine as busy as `TEST_PATIENCE` says: deadlines, the timeout of probes and the floor of hedges are that
 * much longer, whether a test sets them or not. So no test meets an outage that is only a lack of CPU time.
 * @param scale from milliseconds on a quiet machine to those on this one
 */
export function scaleUpstreamTimes(config: Record<string, unknown>, scale = timeLimit): Record<string, unknown> {
  const { upstreams } = config;
  if (scale(1) === 1 || !isObject(upstreams)) return config;
  const scaled = Object.entries(upstreams).map(([name, upstream]) => [name, scaleUpstream(upstream, scale)]);
  return { ...config, upstreams: Object.fromEntries(scaled) };
}

/** The same for one upstream. */
export function scaleUpstream(upstream: unknown, scale = timeLimit): unknown {
  const { success, data } = upstreamSchema.safeParse(upstream);
  // A mistake in the configuration is for the edge to find.
  if (scale(1) === 1 || !success || !isObject(upstream)) return upstream;
  const duration = (ms: number) => `${Math.ceil(scale(ms))}ms`;
  const { probe, hedge } = upstream;
  return {
    ...upstream,
    probe: { ...(isObject(probe) ? probe : {}), timeout: duration(data.probe.timeout) },
    deadlines: Object.fromEntries(
      Object.entries(data.deadlines).map(([name, ms]) => {
        const most = OF_ATTEMPTS.has(name) ? Math.max(ms, MAX_ATTEMPT_MS) : Number.POSITIVE_INFINITY;
        return [name, `${Math.min(Math.ceil(scale(ms)), most)}ms`];
      }),
    ),
    hedge: { ...(isObject(hedge) ? hedge : {}), floor: duration(data.hedge.floor) },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
