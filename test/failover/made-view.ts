import type { Route } from '../../src/failover/rewrite.ts';
import type { BreakerState, ReplicaView, TrafficClass, UpstreamView } from '../../src/failover/view.ts';

/** Monotonic milliseconds of "now" in these tests. */
export const NOW = Date.parse('2026-05-04T03:02:01.500Z');
/** The same moment, with a host's clock that was not set since the start. */
export const READING = { monotonic: NOW, wall: NOW };

export function perClass<T>(value: T, other: Partial<Record<TrafficClass, T>> = {}): Record<TrafficClass, T> {
  return { control: value, data: value, push: value, passthrough: value, ...other };
}

/** A URL with which nothing is wrong, but for what is given. */
export function replica(url: string, given: Partial<ReplicaView> = {}): ReplicaView {
  return {
    url,
    state: 'up',
    since: NOW - 60_000,
    reason: 'canary blob was read',
    canary: 'good',
    proof: { state: 'proven', since: NOW - 60_000, reason: 'content was seen' },
    lastProbeAt: NOW - 1000,
    probeMs: 3,
    breakers: perClass<BreakerState>('closed'),
    trialFree: perClass(false),
    suspected: false,
    slow: false,
    retryAfterUntil: 0,
    inFlight: { control: 0, data: 0 },
    waiting: { control: 0, data: 0 },
    saturated: { control: false, data: false },
    firstByteP95: { control: undefined, data: undefined },
    ...given,
  };
}

/** An upstream that takes writes, but for what is given. */
export function upstream(name: string, given: Partial<UpstreamView> = {}): UpstreamView {
  return {
    name,
    kind: 'registry',
    state: 'up',
    since: NOW - 60_000,
    reason: 'canary blob was read',
    readOnly: false,
    canaryImage: 'library/canary:latest',
    unhealthy: [],
    credentials: { own: false, refusal: undefined },
    gate: { mode: 'accepting', since: NOW - 60_000, reason: 'canary blob was read' },
    replicas: [replica(`https://${name}`)],
    ...given,
  };
}

export function views(...all: UpstreamView[]): Map<string, UpstreamView> {
  return new Map(all.map((view) => [view.name, view]));
}

/** `library/`: pushed to harbor, pulled from harbor, then from gcr under another prefix. */
export function libraryRoute(given: Partial<Route> = {}): Route {
  const harbor = { upstream: 'harbor', prefix: 'library/', replicate: false };
  const gcr = { upstream: 'gcr', prefix: 'example-project/', replicate: true };
  return {
    prefix: 'library/',
    registry: undefined,
    push: harbor,
    pull: [harbor, gcr],
    onAbsent: 'stop',
    staleTags: 'warn',
    deletions: 'keep',
    anonymous: false,
    ...given,
  };
}
