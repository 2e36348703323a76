import type { Registry } from 'prom-client';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { addCounts, addMetrics } from './add-metrics.ts';

/** Load and events of the listener for clients. */
export interface ClientSide {
  load: { connections: number; exchanges: number };
  /** Events since the start by name (`tlsErrors`, `shed`, …). The names are a fixed list. */
  counts: Readonly<Record<string, number>>;
}

/** Adds gauges of the edge itself: its listener, its memory, its certificates and the other edges. */
export function addEdgeMetrics(
  registry: Registry,
  { ready, version, peers, acknowledgements, stores, sinceStart, stopping, vip }: Snapshot,
  { load, counts }: ClientSide,
  certificates: readonly { file: string; expiresAt: number }[],
): void {
  const { ledger, manifests, buffers, hashing } = stores;
  addMetrics(registry, [], [[[], undefined]], {
    ready: ['1 while /readyz is good, 0 while the edge starts or drains.', () => Number(ready)],
    stopping: ['1 from SIGTERM on, else 0.', () => Number(Boolean(stopping))],
    stopping_requests: ['Requests that a planned stop waits for.', () => stopping?.underWay ?? 0],
    stopping_seconds_left: [
      'Seconds until a planned stop cuts what is under way.',
      () => Math.max(0, Math.ceil((stopping?.leftMs ?? 0) / 1000)),
    ],
    vip_eligible: [
      '1 if this node may hold the VIP, 0 while the edge starts or stops, or another edge reaches more upstreams.',
      () => Number(vip?.eligible ?? ready),
    ],
    client_connections: ['Open client connections.', () => load.connections],
    client_requests: ['Client requests in flight.', () => load.exchanges],
    ledger_tags: ['Tags in the ledger.', () => ledger.tags],
    ledger_evicted_total: [
      'Tags that the ledger dropped because there were more than ledger.tags. Clients may then get old tags from a fallback without a warning.',
      () => ledger.evicted,
    ],
    peer_acknowledgements_late_total: [
      'Replies to writes that did not wait any longer for another edge, because it had not acknowledged the write within 100 ms.',
      () => acknowledgements.late,
    ],
    manifest_memory_bytes: ['Bytes of the manifests in memory.', () => manifests.bytes],
    hash_jobs: ['Digests being computed.', () => hashing],
  });
  const events =
    'Events of the listener: failed TLS handshakes, malformed requests, connections above the limit, stalled clients, floods, bad PROXY headers.';
  addCounts(registry, 'event', 'listener_events_total', events, counts);
  const buffersHelp = 'Bytes of the buffers for bodies: in_use, or kept for reuse.';
  addCounts(registry, 'state', 'buffers_bytes', buffersHelp, { in_use: buffers.inUse, kept: buffers.kept });
  const hedges =
    'Hedged requests: sent to the next upstream because the first was slow. started, won (the later one answered first), refused (over budget: the first upstream is slow for every client).';
  addCounts(registry, 'result', 'hedges_total', hedges, { ...sinceStart.hedges });
  addCounts(registry, 'version', 'build_info', 'Always 1; the version is a label.', { [version]: 1 });
  addMetrics(
    registry,
    ['file'],
    certificates.map(({ file, expiresAt }) => [[file], expiresAt] as const),
    {
      certificate_expiry_seconds: ['Unix time at which the certificate expires.', (expiresAt) => expiresAt / 1000],
    },
  );
  // One name may resolve to several edges.
  addMetrics(
    registry,
    ['peer', 'state'],
    peers.map(({ url, state }) => [[url, state], 1] as const),
    {
      peers: ['Other edges of the site, by state.', (count) => count],
    },
  );
  addMetrics(
    registry,
    ['peer'],
    peers.map(({ url, entries }) => [[url], entries] as const),
    {
      peer_entries: ['New grants, tags and pulls that this edge learnt from another edge.', (entries) => entries],
    },
  );
}

/** Adds gauges of what tells other edges apart from this one: their clocks, and what they reach. */
export function addSightMetrics(registry: Registry, { peers, vip }: Snapshot): void {
  // One name may resolve to several edges. The clock that is furthest off counts.
  const sorted = peers.toSorted((one, other) => Math.abs(one.clockAheadMs ?? 0) - Math.abs(other.clockAheadMs ?? 0));
  const clocks = new Map(
    sorted.flatMap(({ url, clockAheadMs }) => (clockAheadMs === null ? [] : [[url, clockAheadMs]])),
  );
  const series = [...clocks].map(([url, aheadMs]) => [[url], aheadMs] as const);
  addMetrics(registry, ['peer'], series, {
    peer_clock_ahead_seconds: [
      "Seconds by which the clock of another edge's host is ahead of the one of this host.",
      (aheadMs) => aheadMs / 1000,
    ],
  });
  const lacking = (vip?.differences ?? []).flatMap((one) =>
    one.upstreams.map(({ upstream }) => [[upstream, one.lacking], 1] as const),
  );
  addMetrics(registry, ['upstream', 'lacking'], lacking, {
    sight_differences: [
      'Upstreams that only one of two edges reaches. lacking: this (this edge does not reach it), peer (another edge does not).',
      (count) => count,
    ],
  });
}

export function addLogMetrics(registry: Registry, dropped: number): void {
  const help = 'Lines that the log dropped because its disk was full or its reader did not keep up.';
  addMetrics(registry, [], [[[], dropped]], { log_lines_dropped_total: [help, (lines) => lines] });
}
