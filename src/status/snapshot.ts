import type { Route } from '../failover/rewrite.ts';
import type { ReplicaView, UpstreamView } from '../failover/view.ts';
import type { FailoverEntry } from './failover-ring.ts';
import { type Headline, headlineOf } from './headline.ts';
import type { RouteSnapshot, UpstreamSnapshot, UrlSnapshot } from './snapshot-parts.ts';
import { version } from './version.ts';

/** What the edge knows at one moment: the JSON of `/api/status`. */
export interface Snapshot {
  version: string;
  hostname: string;
  startedAt: string;
  /** When the snapshot was taken. */
  at: string;
  ready: boolean;
  /** What an operator needs to know first. */
  headline: Headline;
  upstreams: UpstreamSnapshot[];
  routes: RouteSnapshot[];
  /** Newest first. */
  failovers: FailoverEntry[];
}

export interface SnapshotInput {
  hostname: string;
  /** Epoch milliseconds. */
  startedAt: number;
  ready: boolean;
  upstreams: readonly UpstreamView[];
  routes: readonly Route[];
  failovers: readonly FailoverEntry[];
}

/** Puts together what is known. @param now epoch milliseconds */
export function takeSnapshot(input: SnapshotInput, now: number = Date.now()): Snapshot {
  const pushed = new Set(input.routes.map((route) => route.push?.upstream));
  const upstreams = input.upstreams.map((view) => upstreamSnapshot(view, pushed.has(view.name), now));
  const routes = input.routes.map(routeSnapshot);
  return {
    version,
    hostname: input.hostname,
    startedAt: iso(input.startedAt),
    at: iso(now),
    ready: input.ready,
    headline: headlineOf({ ready: input.ready, upstreams, routes }, now),
    upstreams,
    routes,
    failovers: [...input.failovers],
  };
}

function upstreamSnapshot(view: UpstreamView, takesPushes: boolean, now: number): UpstreamSnapshot {
  const { name, state, since, reason, kind, readOnly, unhealthy, gate } = view;
  const pushes = { admitted: gate.mode === 'accepting', mode: gate.mode, since: iso(gate.since), reason: gate.reason };
  return {
    name,
    state,
    since: iso(since),
    reason,
    kind,
    readOnly,
    unhealthy: [...unhealthy],
    ...(takesPushes ? { pushes } : {}),
    urls: view.replicas.map((replica) => urlSnapshot(replica, now)),
  };
}

function urlSnapshot(replica: ReplicaView, now: number): UrlSnapshot {
  const { url, state, since, reason, canary, lastProbeAt, probeMs, breakers, suspected, restingUntil, inFlight } =
    replica;
  return {
    url: withoutCredentials(url),
    state,
    since: iso(since),
    reason,
    canary,
    lastProbeAt: lastProbeAt === undefined ? null : iso(lastProbeAt),
    probeMs: probeMs ?? null,
    breakers: { ...breakers },
    suspected,
    restingUntil: restingUntil > now ? iso(restingUntil) : null,
    inFlight: { data: inFlight.data, control: inFlight.control },
  };
}

function routeSnapshot({ prefix, registry, push, onAbsent, pull }: Route): RouteSnapshot {
  return {
    prefix,
    ...(registry === undefined ? {} : { registry }),
    ...(push === undefined ? {} : { push: push.upstream }),
    onAbsent,
    pull: pull.map(({ upstream, prefix: there, replicate }) => ({ upstream, prefix: there, replicate })),
  };
}

/** A URL may carry a user and a password; the status is read by more people than the configuration. */
function withoutCredentials(url: string): string {
  return url.replace(/^(https?:\/\/)[^/@]*@/i, '$1');
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
