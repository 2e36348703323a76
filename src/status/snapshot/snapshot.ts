import type { Route } from '../../failover/rewrite.ts';
import type { ReplicaView, UpstreamView } from '../../failover/view.ts';
import type { PeerView } from '../../peer/peer-view.ts';
import type { ReplicationView } from '../../replication/replication-view.ts';
import type { FailoverEntry } from '../failover-ring.ts';
import type { SinceStart, SinceStartFigures } from '../since-start.ts';
import type { Stores } from '../stores.ts';
import type { TagWarning } from '../tag-warnings.ts';
import { version } from '../version.ts';
import { type Headline, headlineOf } from './headline.ts';
import { type PeerSnapshot, peerSnapshot } from './peer-snapshot.ts';
import { type ReplicationSnapshot, replicationSnapshot } from './replication-snapshot.ts';
import type { RottenSnapshot, RouteSnapshot, UpstreamSnapshot, UrlSnapshot } from './upstream-snapshot.ts';

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
  /** Newest first. */
  tagWarnings: TagWarning[];
  sinceStart: SinceStartFigures;
  stores: Stores;
  /** The other edges of the site. */
  peers: PeerSnapshot[];
  /** How fallbacks are kept in step; null: nothing is to be copied. */
  replication: ReplicationSnapshot | null;
}

/** A copy of a blob whose bytes are wrong; `since` in epoch milliseconds. */
export interface RottenCopy {
  upstream: string;
  digest: string;
  since: number;
}

export interface SnapshotInput {
  hostname: string;
  /** Epoch milliseconds. */
  startedAt: number;
  ready: boolean;
  upstreams: readonly UpstreamView[];
  routes: readonly Route[];
  failovers: readonly FailoverEntry[];
  tagWarnings: readonly TagWarning[];
  sinceStart: Pick<SinceStart, 'figures' | 'outrun'>;
  /** Those found first come first. */
  rotten: readonly RottenCopy[];
  stores: Stores;
  peers: readonly PeerView[];
  replication?: ReplicationView | undefined;
}

/** Of each upstream; so many digests are enough to see what is wrong with a storage. */
const MAX_ROTTEN_SHOWN = 50;

/** Puts together what is known. @param now epoch milliseconds */
export function takeSnapshot(input: SnapshotInput, now: number = Date.now()): Snapshot {
  const pushed = new Set(input.routes.map((route) => route.push?.upstream));
  const rotten = Map.groupBy(input.rotten, (copy) => copy.upstream);
  const upstreams = input.upstreams.map(
    (view): UpstreamSnapshot => ({
      ...stateOf(view, pushed.has(view.name)),
      rotten: rottenSnapshot(rotten.get(view.name) ?? []),
      outrun: input.sinceStart.outrun.get(view.name) ?? 0,
      urls: view.replicas.map((replica) => urlSnapshot(replica, now)),
    }),
  );
  const routes = input.routes.map(routeSnapshot);
  const tagWarnings = [...input.tagWarnings];
  const peers = input.peers.map(peerSnapshot);
  const replication = input.replication ? replicationSnapshot(input.replication) : null;
  return {
    version,
    hostname: input.hostname,
    startedAt: iso(input.startedAt),
    at: iso(now),
    ready: input.ready,
    headline: headlineOf({ ready: input.ready, upstreams, routes, tagWarnings, peers, replication }, now),
    upstreams,
    routes,
    failovers: [...input.failovers],
    tagWarnings,
    sinceStart: input.sinceStart.figures,
    stores: input.stores,
    peers,
    replication,
  };
}

function stateOf(view: UpstreamView, takesPushes: boolean): Omit<UpstreamSnapshot, 'rotten' | 'outrun' | 'urls'> {
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
    ...credentialsOf(view),
    ...(takesPushes ? { pushes } : {}),
  };
}

function credentialsOf({ credentials: { own, refusal } }: UpstreamView): Pick<UpstreamSnapshot, 'credentials'> {
  if (refusal) return { credentials: { state: 'refused', since: iso(refusal.since), reason: refusal.reason } };
  return own ? { credentials: { state: 'good' } } : {};
}

function rottenSnapshot(copies: readonly RottenCopy[]): RottenSnapshot {
  const shown = copies.slice(-MAX_ROTTEN_SHOWN).reverse();
  return { count: copies.length, copies: shown.map(({ digest, since }) => ({ digest, since: iso(since) })) };
}

function urlSnapshot(replica: ReplicaView, now: number): UrlSnapshot {
  const { url, state, since, reason, canary, lastProbeAt, probeMs, breakers, suspected, slow } = replica;
  const { retryAfterUntil, inFlight, waiting, firstByteP95 } = replica;
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
    slow,
    restingUntil: retryAfterUntil > now ? iso(retryAfterUntil) : null,
    inFlight: { data: inFlight.data, control: inFlight.control },
    waiting: { data: waiting.data, control: waiting.control },
    firstByteP95Ms: { data: tenths(firstByteP95.data), control: tenths(firstByteP95.control) },
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

function tenths(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10;
}

/** A URL may carry a user and a password; the status is read by more people than the configuration. */
function withoutCredentials(url: string): string {
  return url.replace(/^(https?:\/\/)[^/@]*@/i, '$1');
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
