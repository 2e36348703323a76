import { resolveRoute } from '../../../src/failover/rewrite.ts';
import type { ReplicaView, UpstreamView } from '../../../src/failover/view.ts';
import type { PeerView } from '../../../src/peer/peer-view.ts';
import type { RequestRecord } from '../../../src/proxy/request-record.ts';
import { SinceStart } from '../../../src/status/since-start.ts';
import { type Snapshot, type SnapshotInput, type Stores, takeSnapshot } from '../../../src/status/snapshot/snapshot.ts';
import type { DifferenceView } from '../../../src/status/snapshot/vip-snapshot.ts';

/** 2026-11-21 03:30 UTC. */
export const NOW = Date.UTC(2026, 10, 21, 3, 30);
const MINUTE = 60_000;

export function replica(over: Partial<ReplicaView> = {}): ReplicaView {
  return {
    url: 'https://harbor.lan',
    state: 'up',
    since: NOW - 600 * MINUTE,
    reason: 'canary read in 12 ms',
    canary: 'good',
    proof: { state: 'proven', since: NOW - 600 * MINUTE, reason: 'content was seen' },
    lastProbeAt: NOW - 1_000,
    probeMs: 12,
    breakers: { control: 'closed', data: 'closed', push: 'closed', passthrough: 'closed' },
    trialFree: { control: true, data: true, push: true, passthrough: true },
    retryAfterUntil: 0,
    suspected: false,
    slow: false,
    inFlight: { control: 1, data: 3 },
    waiting: { control: 0, data: 0 },
    saturated: { control: false, data: false },
    firstByteP95: { control: 8, data: 31 },
    ...over,
  };
}

export function upstream(name: string, over: Partial<UpstreamView> = {}): UpstreamView {
  const replicas = over.replicas ?? [replica({ url: `https://${name}.lan` })];
  return {
    name,
    kind: 'registry',
    state: replicas[0]?.state ?? 'up',
    since: replicas[0]?.since ?? NOW,
    reason: replicas[0]?.reason ?? '',
    readOnly: false,
    canaryImage: 'library/canary:latest',
    unhealthy: [],
    credentials: { own: false, refusal: undefined },
    gate: { mode: 'accepting', since: NOW - 600 * MINUTE, reason: 'up' },
    ...over,
    replicas,
  };
}

/** An upstream whose canary read has timed out since 03:12. */
export function down(name: string, over: Partial<UpstreamView> = {}): UpstreamView {
  const since = NOW - 18 * MINUTE;
  const reason = 'canary read timed out';
  return upstream(name, {
    replicas: [replica({ url: `https://${name}.lan`, state: 'down', since, reason, canary: 'failing' })],
    gate: { mode: 'refusing', since, reason },
    ...over,
  });
}

/** The routes of design.md's example and a read-only one. */
export const ROUTES = [
  resolveRoute({
    prefix: 'library/',
    push: 'harbor',
    onAbsent: 'stop',
    staleTags: 'warn',
    deletions: 'keep',
    anonymous: false,
    pull: [
      { upstream: 'harbor', replicate: false },
      { upstream: 'gcr', prefix: 'example-project/', replicate: true },
    ],
  }),
];

export const STORES: Stores = {
  ledger: { tags: 1_234, evicted: 5 },
  manifests: { kept: 56, bytes: 1_200_000 },
  buffers: { inUse: 524_288, kept: 262_144 },
  hashing: 2,
};

/** The listener for clients, which has nothing to do. */
export const CLIENTS = { load: { connections: 0, exchanges: 0 }, counts: {} };

/** Another edge of the site, in step since an hour. */
export function peer(over: Partial<PeerView> = {}): PeerView {
  return {
    url: 'https://edge-b.lan',
    address: '10.0.0.12:443',
    state: 'in-step',
    since: new Date(NOW - 60 * MINUTE).toISOString(),
    reason: 'it has sent all that it knows',
    heardAt: new Date(NOW - 500).toISOString(),
    entries: 12,
    release: '0.1.0',
    clockAheadMs: 3,
    ...over,
  };
}

/** This edge has not reached harbor for a minute, and another one does. */
export function sightDifference(over: Partial<DifferenceView> = {}): DifferenceView {
  const upstreams = [{ upstream: 'harbor', pulls: true, pushes: true }];
  return { peer: '10.0.0.12:443', lacking: 'this', upstreams, covers: true, since: NOW - MINUTE, ...over };
}

export function snapshotOf(over: Partial<SnapshotInput> = {}): Snapshot {
  return takeSnapshot(
    {
      hostname: 'cr.example.io',
      startedAt: NOW - 1_000 * MINUTE,
      ready: true,
      upstreams: [
        upstream('harbor', { kind: 'harbor' }),
        upstream('gcr', { credentials: { own: true, refusal: undefined, acceptedAt: NOW } }),
      ],
      routes: ROUTES,
      failovers: [],
      tagWarnings: [],
      sinceStart: new SinceStart(),
      corruptCopies: [],
      stores: STORES,
      peers: [],
      unheard: [],
      acknowledgements: { late: 0, behind: [] },
      ...over,
    },
    { monotonic: NOW, wall: NOW },
  );
}

/** A pull that harbor should have served and gcr did. */
export function pullRecord(over: Partial<RequestRecord> = {}): RequestRecord {
  return {
    id: '1',
    method: 'GET',
    protocol: 'HTTP/1.1',
    client: '127.0.0.1',
    kind: 'manifest',
    repository: 'library/app',
    reference: 'latest',
    route: 'library/',
    upstream: 'gcr',
    preferred: 'harbor',
    hedges: { started: 0, won: 0, refused: 0 },
    splices: [],
    attempts: [
      {
        upstream: 'harbor',
        url: 'https://harbor.lan',
        class: 'control',
        outcome: 'failed',
        reason: 'first-byte',
        detail: 'no first byte in 3 s',
        ms: 3000,
      },
      { upstream: 'gcr', url: 'https://gcr.lan', class: 'control', outcome: 'served', status: 200, ms: 40 },
    ],
    status: 200,
    outcome: 'fallback',
    bytesIn: 0,
    bytesOut: 1_234,
    startedAt: NOW,
    firstByteMs: 3_040,
    totalMs: 3_050,
    ...over,
  };
}
