import { readFileSync } from 'node:fs';
import type { AcmeView } from '../../acme/acme-view.ts';
import { type ClockReading, isoTime, readClocks } from '../../clock/clock.ts';
import type { Route } from '../../failover/rewrite.ts';
import type { AccountView, ReplicaView, UpstreamView } from '../../failover/view.ts';
import type { ReplicationView } from '../../replication/replication-view.ts';
import type { FailoverEntry } from '../failover-ring.ts';
import type { SinceStart, SinceStartFigures } from '../since-start.ts';
import type { StopView } from '../stop-view.ts';
import { type CertificateSnapshot, certificateSnapshot } from './certificate-lines.ts';
import { type Headline, type HeadlineInput, headlineOf } from './headline.ts';
import type {
  AccountSnapshot,
  CorruptCopiesSnapshot,
  RouteSnapshot,
  UpstreamSnapshot,
  UrlSnapshot,
} from './upstream-snapshot.ts';
import { type VipView, vipSnapshot } from './vip-snapshot.ts';

/** Version of this package. */
export const version: string = String(
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version,
);

/** Sizes of the stores in memory. */
export interface Stores {
  /** Tags in the ledger, and tags dropped since the start because there were too many. */
  ledger: { tags: number; evicted: number };
  /** Manifests in memory, and their bytes. */
  manifests: { kept: number; bytes: number };
  /** Bytes of the buffers for bodies: in use, and kept for reuse. */
  buffers: { inUse: number; kept: number };
  /** Digests being computed. */
  hashing: number;
}

/** The state of the edge at one moment: the JSON of `/api/status`. */
export interface Snapshot extends HeadlineInput {
  version: string;
  hostname: string;
  startedAt: string;
  /** When the snapshot was taken. */
  at: string;
  /** A summary for the operator. */
  headline: Headline;
  /** Newest first. */
  failovers: readonly FailoverEntry[];
  sinceStart: SinceStartFigures;
  stores: Stores;
  /** Where the edge listens, by the key of `listen`; empty before it does. */
  listeners?: Readonly<Record<string, string>>;
}

/** A corrupt copy of a blob; `since` in monotonic milliseconds. */
export interface CorruptCopy {
  upstream: string;
  digest: string;
  since: number;
}

export interface SnapshotInput
  extends Pick<
    Snapshot,
    | 'hostname'
    | 'ready'
    | 'failovers'
    | 'tagWarnings'
    | 'stores'
    | 'peers'
    | 'unheard'
    | 'acknowledgements'
    | 'listeners'
  > {
  /** Monotonic milliseconds. */
  startedAt: number;
  upstreams: readonly UpstreamView[];
  routes: readonly Route[];
  sinceStart: Pick<SinceStart, 'figures' | 'outrun'>;
  /** Oldest first. */
  corruptCopies: readonly CorruptCopy[];
  replication?: ReplicationView | undefined;
  acme?: AcmeView | undefined;
  vip?: VipView | undefined;
  /** Undefined: no stop has begun. */
  stop?: StopView | undefined;
}

/** Digests shown of each upstream: enough to see what is wrong with its storage. */
const MAX_CORRUPT_SHOWN = 50;

export function takeSnapshot(input: SnapshotInput, now: ClockReading = readClocks()): Snapshot {
  const { corruptCopies, sinceStart, replication = null, acme, stop, vip, ...shown } = input;
  const pushed = new Set(input.routes.map((route) => route.push?.upstream));
  const corrupt = Map.groupBy(corruptCopies, (copy) => copy.upstream);
  const upstreams = input.upstreams.map(
    (view): UpstreamSnapshot => ({
      ...stateOf(view, pushed.has(view.name), now),
      corrupt: corruptCopiesSnapshot(corrupt.get(view.name) ?? [], now),
      outrun: sinceStart.outrun.get(view.name) ?? 0,
      urls: view.replicas.map((replica) => urlSnapshot(replica, now)),
    }),
  );
  const certificate: CertificateSnapshot | null = acme ? certificateSnapshot(acme) : null;
  const stopping = stop
    ? { ...stop, since: isoTime(stop.since, now), until: isoTime(stop.until, now), leftMs: stop.until - now.monotonic }
    : null;
  const state = {
    ...shown,
    upstreams,
    routes: input.routes.map(routeSnapshot),
    replication,
    certificate,
    stopping,
    ...(vip && { vip: vipSnapshot(vip, now) }),
  };
  return {
    ...state,
    version,
    startedAt: isoTime(input.startedAt, now),
    at: isoTime(now.monotonic, now),
    headline: headlineOf(state, now.wall),
    sinceStart: sinceStart.figures,
  };
}

function stateOf(
  view: UpstreamView,
  takesPushes: boolean,
  now: ClockReading,
): Omit<UpstreamSnapshot, 'corrupt' | 'outrun' | 'urls'> {
  const { name, state, reason, kind, readOnly = null, unhealthy, gate } = view;
  const pushes = { ...gate, admitted: gate.mode === 'accepting', since: isoTime(gate.since, now) };
  return {
    ...{ name, state, reason, kind, readOnly, unhealthy },
    since: isoTime(view.since, now),
    referrers: view.referrers ?? 'unknown',
    canaryImage: view.canaryImage ?? null,
    ...credentialsOf(view, now),
    accounts: (view.credentials.accounts ?? []).map((account) => accountSnapshot(account, now)),
    ...(takesPushes ? { pushes, ...unseenContentOf(view, now), ...modeOf(view, now) } : {}),
    ...lostContentOf(view, now),
  };
}

function lostContentOf({ contentLost }: UpstreamView, now: ClockReading): Pick<UpstreamSnapshot, 'lost'> {
  if (!contentLost) return {};
  const { since, noticedAt, gone: pushes, images } = contentLost;
  return { lost: { since: isoTime(since, now), noticedAt: isoTime(noticedAt, now), pushes, images } };
}

function modeOf(
  { modeUnknownSince: since }: UpstreamView,
  now: ClockReading,
): Pick<UpstreamSnapshot, 'modeUnknownSince'> {
  return since === undefined ? {} : { modeUnknownSince: isoTime(since, now) };
}

function unseenContentOf({ contentUnseen }: UpstreamView, now: ClockReading): Pick<UpstreamSnapshot, 'unseen'> {
  if (!contentUnseen) return {};
  const { since, reader = null, repositories } = contentUnseen;
  return { unseen: { since: isoTime(since, now), reader, repositories } };
}

function credentialsOf(
  { credentials: { refusal, acceptedAt, unknown } }: UpstreamView,
  now: ClockReading,
): Pick<UpstreamSnapshot, 'credentials'> {
  if (refusal) return { credentials: { state: 'refused', since: isoTime(refusal.since, now), reason: refusal.reason } };
  if (unknown) return { credentials: { state: 'unknown', since: isoTime(unknown.since, now), reason: unknown.reason } };
  return acceptedAt === undefined ? {} : { credentials: { state: 'good', checkedAt: isoTime(acceptedAt, now) } };
}

function accountSnapshot(account: AccountView, now: ClockReading): AccountSnapshot {
  const { role, username, refusal, unknown, expires, renewal } = account;
  const trouble = refusal ?? unknown;
  return {
    ...{ role, username, state: refusal ? 'refused' : unknown ? 'unknown' : 'good' },
    ...(trouble && { since: isoTime(trouble.since, now), reason: trouble.reason }),
    expires: typeof expires === 'number' ? isoTime(expires - now.wall + now.monotonic, now) : (expires ?? null),
    ...(renewal && { renewal: renewalSnapshot(renewal, now) }),
  };
}

function renewalSnapshot(
  { givenAt, problem }: NonNullable<AccountView['renewal']>,
  now: ClockReading,
): NonNullable<AccountSnapshot['renewal']> {
  return {
    givenAt: givenAt === undefined ? null : isoTime(givenAt, now),
    problem: problem ? { since: isoTime(problem.since, now), reason: problem.reason } : null,
  };
}

function corruptCopiesSnapshot(copies: readonly CorruptCopy[], now: ClockReading): CorruptCopiesSnapshot {
  const shown = copies.slice(-MAX_CORRUPT_SHOWN).reverse();
  return { count: copies.length, copies: shown.map(({ digest, since }) => ({ digest, since: isoTime(since, now) })) };
}

function urlSnapshot(replica: ReplicaView, now: ClockReading): UrlSnapshot {
  const {
    trialFree: _,
    saturated: __,
    pairBackoff: ___,
    isSaturatedFor: ____,
    goodProbeAt: _____,
    retryAfterUntil,
    firstByteP95,
    ...shown
  } = replica;
  const { state, reason, canary, lastProbeAt, suspected } = replica;
  return {
    ...shown,
    url: withoutCredentials(replica.url),
    since: isoTime(replica.since, now),
    reason: state === 'up' && canary === 'failing' ? `last good probe: ${reason}` : reason,
    // Until the canary is read, its state only keeps a 404 from being believed.
    canary: lastProbeAt === undefined && !suspected && canary === 'failing' ? 'unknown' : canary,
    proof: { ...replica.proof, since: isoTime(replica.proof.since, now) },
    lastProbeAt: lastProbeAt === undefined ? null : isoTime(lastProbeAt, now),
    probeMs: replica.probeMs ?? null,
    restingUntil: retryAfterUntil > now.monotonic ? isoTime(retryAfterUntil, now) : null,
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

/** A URL may have a user and a password, and more people read the status than the configuration. */
function withoutCredentials(url: string): string {
  return url.replace(/^(https?:\/\/)[^/@]*@/i, '$1');
}
