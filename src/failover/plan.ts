import { type ClockReading, wallTime } from '../clock/clock.ts';
import { OciError } from '../oci/error.ts';
import type { Evidence } from './failure-evidence.ts';
import { type Candidate, type Route, toUpstream } from './rewrite.ts';
import type { Gate, ReplicaView, TrafficClass, UpstreamView } from './view.ts';

/** One planned request to one URL of an upstream. */
export interface Attempt {
  upstream: string;
  /** The upstream's URL. */
  url: string;
  /** Name of the repository there; empty for requests without a repository. */
  repository: string;
  /** The client that the attempt is made for: its user, else its address. Its failures are judged together (rule 8). */
  client: string;
  candidate: Candidate;
  class: TrafficClass;
  /** Why the attempt has this place in the plan. */
  why: string;
  /** The attempt tries a half-open breaker. */
  trial?: boolean;
  /** An obstacle was known when the plan was made. */
  lastResort?: boolean;
  /** The upstream was known to be down, and another one may answer: this attempt gets little time. */
  brief?: true;
}

/** The upstreams that a client may be shown. */
export interface Visibility {
  /** No upstream but this one. */
  only?: string;
  /** Every upstream but this one. */
  except?: string;
}

export const EVERY_UPSTREAM: Visibility = {};

export interface PullInput {
  route: Route;
  repository: string;
  /** `data` for blob bodies, else `control`. */
  class: 'control' | 'data';
  /** HEAD of a blob, which a pushing client sends before it decides to skip an upload. */
  blobHead: boolean;
  /** The client may push to the repository, and skips whatever is said to exist, manifests too. */
  forPush: boolean;
  visible: Visibility;
  /** The user, else the address. */
  client: string;
  /**
   * The upstream that may be hiding the repository from this client, and has not shown it. Only an outage makes it the last one: while it is
   * merely slow or busy, the client would get from another upstream what this one hides (rule 3).
   */
  hiding?: string | undefined;
}

/** Most attempts for one pull, even when every breaker is open. */
export const MAX_ATTEMPTS = 6;

/**
 * The attempts of a pull. Healthy upstreams come first, in the route's order, each with its URLs. The others follow, the most promising
 * first, because a pull is tried everywhere before it fails (fail open).
 * @param rotation grows with each request, so that the URLs of one upstream take turns
 */
export function planPull(
  input: PullInput,
  upstreams: ReadonlyMap<string, UpstreamView>,
  rotation: number,
  now: number,
): Attempt[] {
  const ranked: { attempt: Attempt; severity: number }[] = [];
  for (const candidate of mayAnswer(input, upstreams)) {
    const view = upstreams.get(candidate.upstream);
    if (!view || !mayAsk(input.visible, candidate.upstream)) continue;
    const repository = toUpstream(input.route, candidate, input.repository);
    const asked = { client: input.client, repository };
    for (const replica of rotated(view.replicas, rotation)) {
      const obstacle = obstacleTo(replica, input.class, now, candidate.upstream === input.hiding ? undefined : asked);
      const why = obstacle ? `last resort: ${obstacle.why}` : reasonHealthy(replica, input.class);
      const isTrial = replica.breakers[input.class] === 'half-open' || replica.pairBackoff?.isTrial(asked, input.class);
      const trial = obstacle === undefined && isTrial === true;
      const lastResort = obstacle !== undefined;
      const where = { upstream: view.name, url: replica.url, ...asked, candidate };
      const attempt: Attempt = { ...where, class: input.class, why, trial, lastResort };
      ranked.push({ attempt, severity: obstacle?.severity ?? 0 });
    }
  }
  if (new Set(ranked.map(({ attempt }) => attempt.upstream)).size > 1)
    for (const { attempt, severity } of ranked) if (severity === DOWN) attempt.brief = true;
  // The sort is stable: equal attempts stay in the route's order.
  ranked.sort((a, b) => a.severity - b.severity);
  return capAttempts(ranked.map(({ attempt }) => attempt));
}

/** Whether the upstream is visible. */
export function mayAsk({ only, except }: Visibility, upstream: string): boolean {
  return upstream !== except && (only === undefined || upstream === only);
}

/** Every upstream keeps one attempt, however many URLs the others have: replicas that share a storage fail together. */
function capAttempts(attempts: readonly Attempt[]): Attempt[] {
  const firsts = new Set(
    attempts
      .filter((one, index) => attempts.findIndex((other) => other.upstream === one.upstream) === index)
      .slice(0, MAX_ATTEMPTS),
  );
  let room = MAX_ATTEMPTS - firsts.size;
  return attempts.filter((one) => {
    if (firsts.has(one)) return true;
    room -= 1;
    return room >= 0;
  });
}

/**
 * Upstreams that may answer. While the push upstream takes writes or settles, only that upstream may say that a blob exists; to a client
 * that may push, that anything exists. A client that believed a fallback would skip an upload that the primary needs.
 */
function mayAnswer({ route, blobHead, forPush }: PullInput, upstreams: ReadonlyMap<string, UpstreamView>): Candidate[] {
  const push = route.push;
  if (push === undefined || !(blobHead || forPush)) return route.pull;
  const upstream = upstreams.get(push.upstream);
  if (upstream?.gate.mode !== 'refusing') return [push];
  if (!blobHead) return route.pull;
  // The following push will be refused with the reason, so this HEAD must not wait for an upstream that is down.
  const others = route.pull.filter((candidate) => candidate.upstream !== push.upstream);
  const well = upstream.replicas.filter((one) => one.state === 'up' && !one.suspected);
  if (well.length === 0) return others;
  // The 404 of an upstream that has never shown content is no answer where another upstream has one.
  const unproven = well.every(({ proof }) => proof.state === 'unproven');
  return unproven && others.length > 0 ? others : route.pull;
}

function rotated(replicas: readonly ReplicaView[], rotation: number): ReplicaView[] {
  return replicas
    .map((_, index) => replicas[(index + rotation) % replicas.length])
    .filter((replica) => replica !== undefined);
}

function reasonHealthy(replica: ReplicaView, trafficClass: TrafficClass): string {
  if (replica.breakers[trafficClass] === 'half-open') return `trial of the half-open ${trafficClass} breaker`;
  return replica.state === 'unknown' ? 'not probed yet' : `up: ${replica.reason}`;
}

/**
 * The single attempt of a push (rules 1 and 4).
 * @throws OciError DENIED with the reason and since when, or because the route is read-only
 */
export function planPush(
  route: Route,
  repository: string,
  upstreams: ReadonlyMap<string, UpstreamView>,
  rotation: number,
  now: ClockReading,
  client: string,
): Attempt {
  const push = route.push;
  if (push === undefined)
    throw new OciError(
      'DENIED',
      `pushes to ${route.prefix === '' ? 'this registry' : `"${route.prefix}"`} are refused: the route is read-only`,
    );
  const view = upstreams.get(push.upstream);
  if (!view) throw new OciError('UNKNOWN', `no upstream ${push.upstream}`);
  if (view.gate.mode !== 'accepting') throw pushRefusal(view.name, view.gate, now);
  const asked = { client, repository: toUpstream(route, push, repository) };
  const [replica] = rotated(view.replicas, rotation)
    .map((one) => ({ url: one.url, severity: obstacleTo(one, 'push', now.monotonic, asked)?.severity ?? 0 }))
    .sort((a, b) => a.severity - b.severity);
  if (!replica) throw new OciError('UNKNOWN', `upstream ${push.upstream} has no URL`);
  return {
    upstream: view.name,
    url: replica.url,
    ...asked,
    candidate: push,
    class: 'push',
    why: 'the push upstream',
  };
}

/**
 * The URL at which an upload session goes on: the one that issued it, unless that has failed and the attempt that was planned has a better
 * one. All URLs of an upstream share a storage, and with it the sessions.
 */
export function sessionUrl(url: string, planned: Attempt, { replicas }: UpstreamView, now: number): string {
  const severity = (wanted: string) => {
    const replica = replicas.find((one) => one.url === wanted);
    return replica && (obstacleTo(replica, 'push', now, planned)?.severity ?? 0);
  };
  const [own, other] = [severity(url), severity(planned.url)];
  return own !== undefined && other !== undefined && own > other ? planned.url : url;
}

/** 403, not 503: clients show only the message of a 4xx, and dockerd retries a 5xx for a minute. */
export function pushRefusal(upstream: string, gate: Gate, now: ClockReading): OciError {
  const since = new Date(wallTime(gate.since, now)).toISOString().replace(/\.\d+Z$/, 'Z');
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

/** The severity of an upstream that is down. */
const DOWN = 5;

export interface Obstacle {
  /** From 1, which passes in a moment, to 5, which takes the whole deadline to find out. */
  severity: number;
  why: string;
}

/**
 * The most severe reason to ask another URL first; undefined: there is none.
 * @param evidence the client and the repository of the request; undefined: only an outage counts, or a rate limit for all clients
 */
export function obstacleTo(
  replica: ReplicaView,
  trafficClass: TrafficClass,
  now: number,
  evidence: Evidence | undefined,
): Obstacle | undefined {
  const breaker = replica.breakers[trafficClass];
  if (replica.state === 'down') return { severity: DOWN, why: `down: ${replica.reason}` };
  if (breaker === 'open') return { severity: 4, why: `${trafficClass} breaker open` };
  if (replica.retryAfterUntil > now) {
    const seconds = Math.ceil((replica.retryAfterUntil - now) / 1000);
    return { severity: 3, why: `rate-limited for ${seconds} s` };
  }
  const own = evidence && replica.pairBackoff?.current(evidence, trafficClass, now);
  if (own) {
    const seconds = Math.ceil((own.until - now) / 1000);
    const what = own.why === 'late' ? 'late again and again' : 'rate-limited';
    return { severity: 3, why: `${what} for this client and repository, so asked last for ${seconds} s` };
  }
  if (breaker === 'half-open' && !replica.trialFree[trafficClass])
    return { severity: 2, why: `${trafficClass} breaker half-open, its trial is under way` };
  if (trafficClass === 'push' && replica.proof.state === 'unproven')
    return { severity: 2, why: 'it has not shown any content yet' };
  if (replica.suspected && (evidence || !replica.slow))
    return { severity: 1, why: 'a request has just failed, and no probe has succeeded since' };
  if (evidence && (trafficClass === 'control' || trafficClass === 'data') && replica.saturated[trafficClass])
    return { severity: 1, why: 'at its concurrency limit' };
  if (evidence && replica.isSaturatedFor?.(evidence.client, trafficClass))
    return { severity: 1, why: 'this client has its share of the concurrency limit' };
  return undefined;
}

/** Whether the URL is asked last only because its answers are late: it may have a newer tag than those before it. */
export function isMerelySlow(
  replica: ReplicaView,
  trafficClass: TrafficClass,
  now: number,
  evidence: Evidence,
): boolean {
  return replica.slow || replica.pairBackoff?.current(evidence, trafficClass, now)?.why === 'late';
}
