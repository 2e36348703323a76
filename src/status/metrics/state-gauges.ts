import { Counter, Gauge, Registry } from 'prom-client';
import type { PeerView } from '../../peer/peer-view.ts';
import type { Snapshot, Stores } from '../snapshot/snapshot.ts';
import type { UpstreamSnapshot, UrlSnapshot } from '../snapshot/upstream-snapshot.ts';
import { ReplicationGauges } from './replication-gauges.ts';
import { StoreGauges } from './store-gauges.ts';

const BREAKER_VALUE = { closed: 0, 'half-open': 1, open: 2 } as const;

/** Load and events of the listener for clients. */
export interface ClientSide {
  load: { connections: number; exchanges: number };
  /** Events since the start by name (`tlsErrors`, `shed`, …). The names are a fixed list. */
  counts: Readonly<Record<string, number>>;
}

export interface GaugeSources {
  snapshot: Snapshot;
  /** `expiresAt` in epoch milliseconds. */
  certificates: readonly { file: string; expiresAt: number }[];
  clients: ClientSide | undefined;
  stores: Stores | undefined;
}

/** Gauges of the state at the moment of a scrape. An unknown value (not probed, no canary) has no series. */
export class StateGauges {
  readonly #registry = new Registry();
  readonly #all: Gauge[] = [];
  readonly #up = this.#gauge('upstream_up', '1 if the probes of the URL are good, 0 if it is down.', [
    'upstream',
    'url',
  ]);
  readonly #canary = this.#gauge('canary_good', '1 if the canary can be read from the URL, 0 if not.', [
    'upstream',
    'url',
  ]);
  readonly #probe = this.#gauge('probe_duration_seconds', 'Duration of the last probe.', ['upstream', 'url']);
  readonly #breaker = this.#gauge(
    'breaker_state',
    'State of the breaker: 0 closed, 1 half-open (testing), 2 open (no requests).',
    ['upstream', 'url', 'class'],
  );
  readonly #inFlight = this.#gauge('in_flight', 'Requests in flight to the upstream.', ['upstream', 'url', 'class']);
  readonly #waiting = this.#gauge(
    'waiting',
    'Requests queued for the upstream. Above 0: it is at its limit maxInFlight.',
    ['upstream', 'url', 'class'],
  );
  readonly #pushes = this.#gauge(
    'pushes_admitted',
    '1 if pushes to the upstream are admitted, 0 if they are refused.',
    ['upstream'],
  );
  readonly #expiry = this.#gauge('certificate_expiry_seconds', 'Unix time at which the certificate expires.', ['file']);
  readonly #connections = this.#gauge('client_connections', 'Open client connections.', []);
  readonly #exchanges = this.#gauge('client_requests', 'Client requests in flight.', []);
  readonly #events = new Counter({
    name: 'breakwater_listener_events_total',
    help: 'Events of the listener: failed TLS handshakes, malformed requests, connections above the limit, stalled clients, floods, bad PROXY headers.',
    labelNames: ['event'],
    registers: [this.#registry],
  });
  readonly #p95 = this.#gauge(
    'first_byte_p95_seconds',
    '95th percentile of the time of recent answers (blobs: of their first 16 KiB). A slower answer is hedged. Missing until there are 8 answers.',
    ['upstream', 'url', 'class'],
  );
  readonly #credentials = this.#gauge(
    'credentials_good',
    "1 if the upstream accepts the edge's own credentials, 0 if it refuses them.",
    ['upstream'],
  );
  readonly #corruptCopies = this.#gauge(
    'corrupt_copies',
    'Corrupt blobs that were found on the upstream and not yet repaired.',
    ['upstream'],
  );
  readonly #peers = this.#gauge('peers', 'Other edges of the site, by state.', ['peer', 'state']);
  readonly #peerEntries = this.#gauge(
    'peer_entries',
    'New grants, tags and pulls that this edge learnt from another edge.',
    ['peer'],
  );
  readonly #stores = new StoreGauges(this.#registry);
  readonly #replication = new ReplicationGauges();
  readonly #ready = this.#gauge('ready', '1 if the edge serves clients, 0 while it starts or drains.', []);
  readonly #build = this.#gauge('build_info', 'Always 1; the version is a label.', ['version']);

  /** All series in the exposition format. */
  async text({ snapshot, certificates, clients, stores }: GaugeSources): Promise<string> {
    // Series of upstreams that a reload removed must vanish.
    for (const gauge of this.#all) gauge.reset();
    for (const upstream of snapshot.upstreams) this.#updateUpstream(upstream);
    for (const peer of snapshot.peers) this.#updatePeer(peer);
    for (const { file, expiresAt } of certificates) this.#expiry.set({ file }, expiresAt / 1000);
    this.#ready.set({}, snapshot.ready ? 1 : 0);
    this.#build.set({ version: snapshot.version }, 1);
    if (clients !== undefined) this.#updateClients(clients);
    if (stores !== undefined) this.#stores.update(stores);
    return [await this.#registry.metrics(), await this.#replication.text(snapshot.replication)].join('\n');
  }

  /** Adds up, because one name may resolve to several edges. */
  #updatePeer({ url, state, entries }: PeerView): void {
    this.#peers.inc({ peer: url, state }, 1);
    this.#peerEntries.inc({ peer: url }, entries);
  }

  #updateClients({ load, counts }: ClientSide): void {
    this.#connections.set({}, load.connections);
    this.#exchanges.set({}, load.exchanges);
    this.#events.reset();
    for (const [event, count] of Object.entries(counts)) this.#events.inc({ event }, count);
  }

  #updateUpstream({ name, urls, pushes, credentials, corrupt }: UpstreamSnapshot): void {
    this.#corruptCopies.set({ upstream: name }, corrupt.count);
    if (credentials !== undefined) this.#credentials.set({ upstream: name }, credentials.state === 'good' ? 1 : 0);
    if (pushes !== undefined) this.#pushes.set({ upstream: name }, pushes.admitted ? 1 : 0);
    for (const url of urls) this.#updateUrl(name, url);
  }

  #updateUrl(upstream: string, one: UrlSnapshot): void {
    const { url, state, canary, probeMs, breakers, inFlight, waiting, firstByteP95Ms } = one;
    const labels = { upstream, url };
    if (state !== 'unknown') this.#up.set(labels, state === 'up' ? 1 : 0);
    if (canary !== 'none' && canary !== 'unknown') this.#canary.set(labels, canary === 'good' ? 1 : 0);
    if (probeMs !== null) this.#probe.set(labels, probeMs / 1000);
    for (const [name, value] of Object.entries(breakers))
      this.#breaker.set({ ...labels, class: name }, BREAKER_VALUE[value]);
    for (const [name, value] of Object.entries(inFlight)) this.#inFlight.set({ ...labels, class: name }, value);
    for (const [name, value] of Object.entries(waiting)) this.#waiting.set({ ...labels, class: name }, value);
    for (const [name, ms] of Object.entries(firstByteP95Ms))
      if (ms !== null) this.#p95.set({ ...labels, class: name }, ms / 1000);
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    const gauge = new Gauge({ name: `breakwater_${name}`, help, labelNames, registers: [this.#registry] });
    this.#all.push(gauge);
    return gauge;
  }
}
