import { OciError } from '../oci/error.ts';
import { type Candidate, type Route, toUpstream } from './rewrite.ts';
import type { Gate, ReplicaView, TrafficClass, UpstreamView } from './view.ts';

/** One request to one URL of an upstream, yet to be made. */
export interface Attempt {
  upstream: string;
  /** The upstream's URL. */
  url: string;
  /** Name of the repository there; empty where the request names none. */
  repository: string;
  candidate: Candidate;
  class: TrafficClass;
  /** Why it stands at this place of the plan. */
  why: string;
}

export interface PullInput {
  route: Route;
  repository: string;
  /** `data` for blob bodies, else `control`. */
  class: 'control' | 'data';
  /** HEAD of a blob: what a pushing client asks before it decides to skip an upload. */
  blobHead: boolean;
}

/** More than this is never tried for one pull, even when every breaker is open. */
export const MAX_ATTEMPTS = 6;

/**
 * The attempts of a pull: upstreams in the route's order, each with its URLs; those that are well first, then, because a pull is
 * tried everywhere before it fails (fail open), those that are not.
 * @param turn grows with each request: URLs of one upstream take turns
 */
export function planPull(
  input: PullInput,
  upstreams: ReadonlyMap<string, UpstreamView>,
  turn: number,
  now: number,
): Attempt[] {
  const wellOff: Attempt[] = [];
  const lastResort: Attempt[] = [];
  for (const candidate of readable(input, upstreams)) {
    const view = upstreams.get(candidate.upstream);
    if (!view) continue;
    const repository = toUpstream(input.route, candidate, input.repository);
    for (const replica of inTurn(view.replicas, turn)) {
      const obstacle = obstacleTo(replica, input.class, now);
      const attempt = { upstream: view.name, url: replica.url, repository, candidate, class: input.class };
      if (obstacle === undefined) wellOff.push({ ...attempt, why: whyWell(replica, input.class) });
      else lastResort.push({ ...attempt, why: `last resort: ${obstacle}` });
    }
  }
  return [...wellOff, ...lastResort].slice(0, MAX_ATTEMPTS);
}

/**
 * Upstreams that may answer. While the push upstream takes writes (or has just come back), only it may say that a blob exists:
 * a client that believed a fallback would skip an upload that the primary needs.
 */
function readable({ route, blobHead }: PullInput, upstreams: ReadonlyMap<string, UpstreamView>): Candidate[] {
  const push = route.push;
  if (!blobHead || push === undefined) return route.pull;
  const mode = upstreams.get(push.upstream)?.gate.mode;
  if (mode !== 'refusing') return [push];
  // The push that this asks for will be refused with the reason: it must not wait here for an upstream that is down.
  return route.pull.filter(
    (candidate) => candidate.upstream !== push.upstream || upstreams.get(push.upstream)?.state === 'up',
  );
}

function inTurn(replicas: readonly ReplicaView[], turn: number): ReplicaView[] {
  return replicas
    .map((_, index) => replicas[(index + turn) % replicas.length])
    .filter((replica) => replica !== undefined);
}

/** Why an attempt had better go elsewhere first; undefined if nothing speaks against it. */
export function obstacleTo(replica: ReplicaView, trafficClass: TrafficClass, now: number): string | undefined {
  if (replica.state === 'down') return `down: ${replica.reason}`;
  if (replica.suspected) return 'a request to it has just failed, and no probe has been good since';
  if (replica.restingUntil > now)
    return `asked to be left alone for ${Math.ceil((replica.restingUntil - now) / 1000)} s`;
  const breaker = replica.breakers[trafficClass];
  if (breaker === 'open') return `${trafficClass} breaker open`;
  if (breaker === 'half-open' && !replica.trialFree[trafficClass])
    return `${trafficClass} breaker half-open, its trial is under way`;
  if ((trafficClass === 'control' || trafficClass === 'data') && replica.saturated[trafficClass])
    return 'as many requests under way as are allowed';
  return undefined;
}

function whyWell(replica: ReplicaView, trafficClass: TrafficClass): string {
  if (replica.breakers[trafficClass] === 'half-open') return `trial of the half-open ${trafficClass} breaker`;
  return replica.state === 'unknown' ? 'not probed yet' : `up: ${replica.reason}`;
}

/**
 * The one attempt of a push, or the reason why it is refused (rules 1 and 4).
 * @throws OciError DENIED with the reason and since when; UNSUPPORTED on a read-only route
 */
export function planPush(
  route: Route,
  repository: string,
  upstreams: ReadonlyMap<string, UpstreamView>,
  turn: number,
  now: number,
): Attempt {
  const push = route.push;
  if (push === undefined)
    throw new OciError(
      'DENIED',
      `pushes to ${route.prefix === '' ? 'this registry' : `"${route.prefix}"`} are not taken: the route is read-only`,
    );
  const view = upstreams.get(push.upstream);
  if (!view) throw new OciError('UNKNOWN', `no upstream ${push.upstream}`);
  if (view.gate.mode !== 'accepting') throw refusal(view.name, view.gate);
  const replicas = inTurn(view.replicas, turn);
  const replica = replicas.find((one) => obstacleTo(one, 'push', now) === undefined) ?? replicas[0];
  if (!replica) throw new OciError('UNKNOWN', `upstream ${push.upstream} has no URL`);
  return {
    upstream: view.name,
    url: replica.url,
    repository: toUpstream(route, push, repository),
    candidate: push,
    class: 'push',
    why: 'the push upstream',
  };
}

/** 403, not 503: clients show the message of a 4xx only, and dockerd retries a 5xx for a minute (facts/protocol.md section 2). */
export function refusal(upstream: string, gate: Gate): OciError {
  const since = new Date(gate.since).toISOString().replace(/\.\d+Z$/, 'Z');
  if (gate.mode === 'settling') {
    return new OciError(
      'DENIED',
      `pushes are refused for a few seconds more: ${upstream} came back at ${since}; try again`,
    );
  }
  return new OciError(
    'DENIED',
    `pushes are refused since ${since}: ${upstream} cannot take them (${gate.reason}); pulls keep working`,
  );
}
