import { Counter, Gauge, Registry } from 'prom-client';
import type { PeerSnapshot } from '../snapshot/peer-snapshot.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { UpstreamSnapshot, UrlSnapshot } from '../snapshot/upstream-snapshot.ts';
import type { Stores } from '../stores.ts';
import { ReplicationGauges } from './replication-gauges.ts';
import { StoreGauges } from './store-gauges.ts';

const BREAKER_VALUE = { closed: 0, 'half-open': 1, open: 2 } as const;

/** The client side, as the listener knows it. */
export interface ClientSide {
  load: { connections: number; exchanges: number };
  /** What happened since the start, by a name from a fixed list (`tlsErrors`, `shed`, …). */
  counts: Readonly<Record<string, number>>;
}

export interface GaugeSources {
  snapshot: Snapshot;
  /** Ends in epoch milliseconds. */
  certificates: readonly { file: string; expiresAt: number }[];
  clients: ClientSide | undefined;
  stores: Stores | undefined;
}

/** Gauges that say how things are at the moment of a scrape. What is not known (not probed, no canary) has no series. */
export class StateGauges {
  readonly #registry = new Registry();
  readonly #all: Gauge[] = [];
  readonly #up = this.#gauge('upstream_up', '1 if probes find the URL well, 0 if not.', ['upstream', 'url']);
  readonly #canary = this.#gauge('canary_good', '1 if the canary can be read from the URL, 0 if not.', [
    'upstream',
    'url',
  ]);
  readonly #probe = this.#gauge('probe_duration_seconds', 'How long the last probe took.', ['upstream', 'url']);
  readonly #breaker = this.#gauge('breaker_state', '0 closed, 1 half-open, 2 open.', ['upstream', 'url', 'class']);
  readonly #inFlight = this.#gauge('in_flight', 'Requests under way.', ['upstream', 'url', 'class']);
  readonly #waiting = this.#gauge('waiting', 'Requests that wait for a place among those under way.', [
    'upstream',
    'url',
    'class',
  ]);
  readonly #pushes = this.#gauge(
    'pushes_admitted',
    '1 if pushes to the upstream are admitted, 0 if they are refused.',
    ['upstream'],
  );
  readonly #expiry = this.#gauge('certificate_expiry_seconds', 'Unix time at which the certificate ends.', ['file']);
  readonly #connections = this.#gauge('client_connections', 'Client connections that are open.', []);
  readonly #exchanges = this.#gauge('client_requests', 'Client requests under way.', []);
  readonly #events = new Counter({
    name: 'breakwater_listener_events_total',
    help: 'What the listener dealt with by itself: failed handshakes, malformed requests, shed connections, stalled clients, floods, PROXY headers.',
    labelNames: ['event'],
    registers: [this.#registry],
  });
  readonly #p95 = this.#gauge(
    'first_byte_p95_seconds',
    'Within it came 19 of 20 of the last answers (blobs: their first 16 KiB); later than that is late, and hedged. Missing until 8 came.',
    ['upstream', 'url', 'class'],
  );
  readonly #credentials = this.#gauge(
    'credentials_good',
    "1 if the upstream takes the edge's own credentials, 0 if it refuses them.",
    ['upstream'],
  );
  readonly #rotten = this.#gauge(
    'rotten_copies',
    'Blobs whose bytes at the upstream are wrong, as far as the edge has seen.',
    ['upstream'],
  );
  readonly #peers = this.#gauge('peers', 'Other edges of the site, by what is known of them.', ['peer', 'state']);
  readonly #peerEntries = this.#gauge(
    'peer_entries',
    'Grants, tags and pulls that another edge told and this one did not know.',
    ['peer'],
  );
  readonly #stores = new StoreGauges(this.#registry);
  readonly #replication = new ReplicationGauges();
  readonly #ready = this.#gauge('ready', '1 if the edge serves, 0 while it starts or drains.', []);
  readonly #build = this.#gauge('build_info', 'Always 1; the version is a label.', ['version']);

  /** In the exposition format. */
  async text({ snapshot, certificates, clients, stores }: GaugeSources): Promise<string> {
    // What a reload took out of the configuration must not linger.
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

  /** A name may stand for several edges. */
  #updatePeer({ url, state, entries }: PeerSnapshot): void {
    this.#peers.inc({ peer: url, state }, 1);
    this.#peerEntries.inc({ peer: url }, entries);
  }

  #updateClients({ load, counts }: ClientSide): void {
    this.#connections.set({}, load.connections);
    this.#exchanges.set({}, load.exchanges);
    this.#events.reset();
    for (const [event, count] of Object.entries(counts)) this.#events.inc({ event }, count);
  }

  #updateUpstream({ name, urls, pushes, credentials, rotten }: UpstreamSnapshot): void {
    this.#rotten.set({ upstream: name }, rotten.count);
    if (credentials !== undefined) this.#credentials.set({ upstream: name }, credentials.state === 'good' ? 1 : 0);
    if (pushes !== undefined) this.#pushes.set({ upstream: name }, pushes.admitted ? 1 : 0);
    for (const url of urls) this.#updateUrl(name, url);
  }

  #updateUrl(upstream: string, one: UrlSnapshot): void {
    const { url, state, canary, probeMs, breakers, inFlight, waiting, firstByteP95Ms } = one;
    const labels = { upstream, url };
    if (state !== 'unknown') this.#up.set(labels, state === 'up' ? 1 : 0);
    if (canary !== 'none') this.#canary.set(labels, canary === 'good' ? 1 : 0);
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
