import type { Registry } from 'prom-client';
import type { UpstreamSnapshot } from '../snapshot/upstream-snapshot.ts';
import { addMetrics } from './add-metrics.ts';

const BREAKER_VALUE = { closed: 0, 'half-open': 1, open: 2 } as const;

/** Adds gauges of each upstream and each URL. What is unknown (not probed, no canary) has no series. */
export function addUpstreamMetrics(registry: Registry, upstreams: readonly UpstreamSnapshot[]): void {
  const byName = upstreams.map((upstream) => [[upstream.name], upstream] as const);
  addMetrics(registry, ['upstream'], byName, {
    pushes_admitted: [
      '1 if pushes to the upstream are admitted, 0 if they are refused.',
      ({ pushes }) => (pushes ? Number(pushes.admitted) : null),
    ],
    canary_configured: [
      '1 if the upstream has a canary, 0 if lost storage may go unnoticed there.',
      ({ canaryImage }) => Number(canaryImage !== null),
    ],
    lost_pushes: [
      'Pushes that the upstream acknowledged and has lost. Above 0: restore them, or run breakwater accept. Missing: nothing may look for some of them.',
      ({ pushes, lost, unseen }) => (pushes ? (lost?.pushes ?? (unseen ? null : 0)) : null),
    ],
    corrupt_copies: [
      'Corrupt blobs that were found on the upstream and not yet repaired.',
      ({ corrupt }) => corrupt.count,
    ],
  });
  addAccountMetrics(registry, upstreams);
  const byUrl = upstreams.flatMap(({ name, urls }) => urls.map((one) => [[name, one.url], one] as const));
  addMetrics(registry, ['upstream', 'url'], byUrl, {
    upstream_up: [
      '1 if the probes of the URL are good, 0 if it is down.',
      ({ state }) => (state === 'unknown' ? null : Number(state === 'up')),
    ],
    canary_good: [
      '1 if the canary can be read from the URL, 0 if not.',
      ({ canary }) => (canary === 'none' || canary === 'unknown' ? null : Number(canary === 'good')),
    ],
    content_seen: [
      '1 if the URL has shown content since the start, 0 if it shows none, so that its storage may be missing.',
      ({ proof: { state } }) => (state === 'proven' || state === 'unproven' ? Number(state === 'proven') : null),
    ],
    probe_duration_seconds: ['Duration of the last probe.', ({ probeMs }) => seconds(probeMs)],
  });
  addClassMetrics(registry, byUrl);
}

/** Pulls and pushes without credentials have a series only while they are refused. */
function addAccountMetrics(registry: Registry, upstreams: readonly UpstreamSnapshot[]): void {
  const accounts = upstreams.flatMap(({ name, credentials, accounts }) => {
    const others = accounts.filter(({ role }) => role !== 'own');
    const expires = accounts.find(({ role }) => role === 'own')?.expires ?? null;
    const all = [...(credentials ? [{ role: 'own', state: credentials.state, expires }] : []), ...others];
    return all.map((one) => [[name, one.role], one] as const);
  });
  addMetrics(registry, ['upstream', 'account'], accounts, {
    credentials_good: [
      "1 if the upstream accepts credentials of the edge's own, 0 if it refuses them. account: own (pulls and pushes), probe or replication.",
      ({ state }) => (state === 'unknown' ? null : Number(state === 'good')),
    ],
    credentials_expiry_seconds: [
      "Unix time at which credentials of the edge's own end. Missing where they do not end, or the upstream does not tell.",
      ({ expires }) => (expires === null || expires === 'never' ? null : Date.parse(expires) / 1000),
    ],
  });
}

function addClassMetrics(
  registry: Registry,
  byUrl: readonly (readonly [labels: readonly string[], url: UpstreamSnapshot['urls'][number]])[],
): void {
  const classes = <Value>(values: (url: UpstreamSnapshot['urls'][number]) => Record<string, Value>) =>
    byUrl.flatMap(([labels, url]) =>
      Object.entries(values(url)).map(([name, value]) => [[...labels, name], value] as const),
    );
  const labels = ['upstream', 'url', 'class'];
  addMetrics(
    registry,
    labels,
    classes(({ breakers }) => breakers),
    {
      breaker_state: [
        'State of the breaker: 0 closed, 1 half-open (testing), 2 open (no requests).',
        (state) => BREAKER_VALUE[state],
      ],
    },
  );
  addMetrics(
    registry,
    labels,
    classes(({ inFlight }) => inFlight),
    {
      in_flight: ['Requests in flight to the upstream.', (count) => count],
    },
  );
  addMetrics(
    registry,
    labels,
    classes(({ waiting }) => waiting),
    {
      waiting: ['Requests queued for the upstream. Above 0: it is at its limit maxInFlight.', (count) => count],
    },
  );
  addMetrics(
    registry,
    labels,
    classes(({ firstByteP95Ms }) => firstByteP95Ms),
    {
      first_byte_p95_seconds: [
        '95th percentile of the time of recent answers (blobs: of their first 16 KiB). A slower answer is hedged. Missing until there are 8 answers.',
        seconds,
      ],
    },
  );
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}
