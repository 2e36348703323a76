import { createHash } from 'node:crypto';
import { monotonicNow } from '../clock/clock.ts';
import type { Secrets } from '../config/material.ts';
import { contentReader } from '../config/replication-user.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import { delaysRefusals } from '../failover/authority-evidence.ts';
import { currentReadOnly, nextGate, type ToldMode } from '../failover/gate.ts';
import { HedgeBudget } from '../failover/hedge.ts';
import { unprovenObstacle, withCanaryAdvice } from '../failover/proof.ts';
import type { UploadVerdict } from '../failover/upload-refusal.ts';
import type { CanaryState, Gate, HealthState, ReplicaView, UpstreamView } from '../failover/view.ts';
import { inBackground } from '../http/background.ts';
import { Connection } from './connection.ts';
import type { OwnAccount } from './credentials/own-account.ts';
import { ownAccounts } from './credentials/own-accounts.ts';
import { UserAuthority } from './credentials/user-authority.ts';
import { LOGIN_REQUESTS } from './credentials/user-tokens.ts';
import type { UpstreamEvents } from './events.ts';
import { Canary } from './health/canary.ts';
import { type ContentLooker, ContentWatch } from './health/content-watch.ts';
import type { ProbeReport } from './health/probe.ts';
import { Prober } from './health/prober.ts';
import { ReferrersWatch } from './health/referrers-watch.ts';
import { Replica } from './health/replica.ts';
import { findStoredImage, type StoredReader } from './health/stored-image.ts';
import { tryUpload } from './health/upload-start.ts';
import { UploadWatch } from './health/upload-watch.ts';
import type { Network } from './streams.ts';
import type { UpstreamCall } from './upstream-call.ts';

interface UpstreamUrl {
  replica: Replica;
  connection: Connection;
  /** With credentials of the edge's own. Undefined: it has none that were given to it for reading content. */
  own: Connection | undefined;
  prober: Prober;
}

/** An upstream may name ever new ones. */
const MAX_REFUSED_REALMS = 16;

/** A registry behind Breakwater: its URLs, their health, and the write gate. */
export class Upstream {
  readonly name: string;
  readonly config: UpstreamConfig;
  /** PEM of its certificate authority; undefined for the system's. */
  readonly ca: string | undefined;
  /** The budget of hedged attempts beside a late attempt at this upstream. */
  readonly hedgeBudget: HedgeBudget;
  /** Answers what the upstream's own users may do. */
  readonly userAuthority: UserAuthority;
  /** Whether the upstream still has what it acknowledged. */
  readonly content: ContentWatch;
  /** Whether the upstream has the referrers API. */
  readonly referrers = new ReferrersWatch(
    async () => (await this.#healthyUrl()?.prober.lookForReferrers()) ?? 'unknown',
  );
  /** Whether the upstream takes uploads at all. */
  readonly uploads = new UploadWatch({ start: () => this.#tryUpload(), onChange: () => this.view() });
  readonly #urls: Map<string, UpstreamUrl>;
  readonly #events: UpstreamEvents;
  /** That of pulls and pushes comes first. */
  readonly #accounts: readonly [own: OwnAccount, ...others: OwnAccount[]];
  #gate: Gate | undefined;
  /** Called once, when the gate refuses writes. */
  readonly #onRefusing = new Set<(gate: Gate) => void>();
  #state: { state: HealthState; since: number } = { state: 'unknown', since: monotonicNow() };
  #mode: ToldMode | undefined;
  readonly #refusedRealms = new Set<string>();
  readonly #startedAt = monotonicNow();
  #unhealthy: string[] = [];
  /** Probes have begun. */
  #begun = false;
  #stopped = false;
  /** Harbor's, as it last told. */
  #authMode: string | undefined;

  constructor(name: string, config: UpstreamConfig, secrets: Secrets, network: Network, events: UpstreamEvents) {
    this.name = name;
    this.config = config;
    this.ca = secrets.ca;
    this.hedgeBudget = new HedgeBudget(config.hedge.share / 100);
    this.#events = events;
    this.#urls = new Map(config.urls.map((url) => [url, this.#createUrl(url, secrets, network)]));
    this.#accounts = ownAccounts({
      name,
      config,
      events,
      connection: () => this.#healthyConnection(),
      onNews: () => this.view(),
    });
    this.content = new ContentWatch({
      reader: contentReader(config),
      looker: () => this.#contentLooker(),
      onNews: (loss) => events.content(name, loss),
    });
    this.userAuthority = new UserAuthority({
      name,
      deadline: LOGIN_REQUESTS * config.deadlines.manifest,
      view: () => this.view(),
      tokens: (url) => this.connection(url)?.userTokens,
      delaysRefusals: () => delaysRefusals(this.#authMode),
      acquireSlot: async (url, signal) => this.replica(url)?.acquireControlSlot(signal),
      onCanaryRefused: (detail) => events.credentials(name, detail, { role: 'probe', username: undefined }),
    });
  }

  /** Starts the probes. Resolves after the first round; without it, if credentials of the edge's own are late. */
  async start(): Promise<void> {
    const connections = [...this.#urls.values()].map(({ connection }) => connection);
    const firstRound = this.#probeWithCredentials(connections);
    await Promise.all(connections.map((connection) => connection.ready()));
    // Credentials that are tried in time have begun it before `ready`.
    if (this.#begun) await firstRound;
  }

  /** Probes without their credentials would only show that there are none. */
  readonly #probeWithCredentials = inBackground('probe', async (connections: readonly Connection[]) => {
    await Promise.all(connections.map((connection) => connection.tried()));
    this.#begun = true;
    // A reload or a stop may have come before the credentials.
    if (this.#stopped) return;
    const probed = [...this.#urls.values()].map((member) => member.prober.start());
    await Promise.all([...probed, ...this.#accounts.map((account) => account.start())]);
  });

  async stop(): Promise<void> {
    this.#stopped = true;
    this.uploads.stop();
    for (const account of this.#accounts) account.stop();
    for (const { prober, replica } of this.#urls.values()) {
      prober.stop();
      replica.dispose();
    }
    const connections = new Set(
      [...this.#urls.values()].flatMap(({ connection, own }) => [connection, own ?? []].flat()),
    );
    await Promise.all([...connections].map((connection) => connection.close()));
  }

  replica(url: string): Replica | undefined {
    return this.#urls.get(url)?.replica;
  }

  /** What clients deleted stands in for no canary any more; see `Canary.forgetDeleted`. */
  forgetDeleted(repository: string, digest?: string): void {
    for (const { replica } of this.#urls.values()) replica.canary.forgetDeleted(repository, digest);
  }

  connection(url: string): Connection | undefined {
    return this.#urls.get(url)?.connection;
  }

  /** The connection to the URL with credentials of the edge's own, where it has some. */
  ownConnection(url: string): Connection | undefined {
    return this.#urls.get(url)?.own;
  }

  /** Whether a 404 from this URL can be believed; see `Prober.confirmCanary`. */
  async confirmCanary(url: string, since?: number): Promise<CanaryState> {
    return this.#urls.get(url)?.prober.confirmCanary(since) ?? 'none';
  }

  /** The same for a write, which has no other upstream: a late canary is waited for (rule 11). */
  async confirmCanaryPatiently(url: string): Promise<CanaryState> {
    return this.#urls.get(url)?.prober.confirmCanaryPatiently() ?? 'none';
  }

  /** Resolves when the write gate refuses. Never rejects; pending for ever once the signal is aborted. */
  untilRefusing(signal: AbortSignal): Promise<Gate> {
    const { promise, resolve } = Promise.withResolvers<Gate>();
    const { gate } = this.view();
    if (gate.mode === 'refusing') resolve(gate);
    else this.#onRefusing.add(resolve);
    signal.addEventListener('abort', () => this.#onRefusing.delete(resolve), { once: true });
    return promise;
  }

  /** Reports that credentials of Breakwater's own were refused, which a request to read or to push had. */
  reportDeniedCredentials(detail: string): void {
    // With its database down, Harbor refuses every user.
    if (this.#unhealthy.includes('database')) return;
    // With `forward`, Breakwater's own reads have the account of copies.
    const role = this.config.credentials === 'forward' ? 'replication' : 'own';
    const account = this.#accounts.find((one) => one.role === role) ?? this.#accounts[0];
    account.reportDenial(detail);
  }

  /** Reports a blob whose bytes are wrong. */
  reportCorruptCopy(digest: string): void {
    this.#events.corruptCopy(this.name, digest);
  }

  view(): UpstreamView {
    const replicas = [...this.#urls.values()].map((member) => member.replica.view());
    const { state, reason } = this.#updateState(replicas);
    const readOnly = this.#readOnly;
    const isSilent = this.config.probe.kind === 'harbor' && readOnly === undefined;
    return {
      name: this.name,
      kind: this.config.probe.kind,
      state,
      since: this.#state.since,
      reason,
      readOnly,
      modeUnknownSince: isSilent ? (this.#mode?.at ?? this.#startedAt) : undefined,
      canaryImage: this.config.probe.canary,
      unhealthy: this.#unhealthy,
      credentials: {
        own: typeof this.config.credentials === 'object',
        refusal: this.#accounts[0].refusal,
        acceptedAt: this.#accounts[0].acceptedAt,
        unknown: this.#accounts[0].unknown,
        accounts: this.#accounts.flatMap((account) => account.view ?? []),
      },
      contentLost: this.content.lost,
      contentUnseen: this.content.unseen,
      referrers: this.referrers.support,
      gate: this.#gate ?? { mode: 'refusing', since: this.#state.since, reason },
      replicas,
    };
  }

  /** Hosts of token services that challenges named and that get nothing, because no list names them. */
  get refusedRealms(): readonly string[] {
    return [...this.#refusedRealms];
  }

  readonly #onRefusedRealm = (host: string): void => {
    if (this.#refusedRealms.has(host) || this.#refusedRealms.size >= MAX_REFUSED_REALMS) return;
    this.#refusedRealms.add(host);
    this.#events.realm?.(this.name, host);
  };

  get #readOnly(): boolean | undefined {
    return this.uploads.refuses || currentReadOnly(this.#mode, this.config.probe.interval, monotonicNow());
  }

  /** Looks with credentials of the edge's own, else with those of the probe, at a URL that is up if there is one. All URLs share one storage. */
  #contentLooker(): ContentLooker | undefined {
    const member = this.#healthyUrl();
    if (!member || contentReader(this.config) === undefined) return undefined;
    const { connection, own, prober } = member;
    const redirects = this.config.redirects.mode;
    const signal = () => AbortSignal.timeout(this.config.probe.timeout);
    const send = (call: UpstreamCall) => (own ? own.send(call) : connection.sendProbe(call));
    const reader: StoredReader = {
      read: (method, path, headers, scopes) => send({ method, path, headers, scopes, redirects, signal: signal() }),
      mayBeHidden: own === undefined,
    };
    return { find: (push) => findStoredImage(push, reader), confirmCanary: () => prober.confirmCanary() };
  }

  /** To the canary's repository: that of a client may be refused for itself. */
  #tryUpload(): Promise<UploadVerdict> | undefined {
    const { own, replica } = this.#healthyUrl() ?? {};
    const repository = replica?.canary.repository;
    const signal = () => AbortSignal.timeout(this.config.deadlines.push);
    return own && repository !== undefined ? tryUpload(own, repository, signal()) : undefined;
  }

  #healthyUrl(): UpstreamUrl | undefined {
    const urls = [...this.#urls.values()];
    return urls.find(({ replica }) => isHealthy(replica.view())) ?? urls[0];
  }

  #createUrl(url: string, secrets: Secrets, network: Network): UpstreamUrl {
    const replica = new Replica(
      this.name,
      url,
      this.config,
      new Canary(this.config.probe.canary, this.config.credentials !== 'forward'),
      this.#events,
    );
    const connection = new Connection(url, this.config, secrets, network, this.#onRefusedRealm);
    const { credentials, probe } = this.config;
    const looker = {
      listsAll: credentials !== 'forward',
      anonymous: typeof (probe.credentials ?? credentials) === 'string',
    };
    const prober = new Prober(replica, connection, probe, {
      looker,
      onReport: (report) => this.#onProbe(report),
      account: () => this.#accounts.find(({ role }) => role === 'probe'),
    });
    return { replica, connection, own: this.#ownConnection(url, connection, secrets, network), prober };
  }

  /** Where clients use their own credentials, only those for copies are the edge's: those of the probe may open no more than the canary. */
  #ownConnection(url: string, connection: Connection, secrets: Secrets, network: Network): Connection | undefined {
    const { credentials, replication } = this.config;
    if (credentials !== 'forward') return connection;
    if (replication.credentials === undefined) return undefined;
    const config = { ...this.config, credentials: replication.credentials };
    return new Connection(
      url,
      config,
      { ca: secrets.ca, password: secrets.replicationPassword, folder: secrets.folder },
      network,
      this.#onRefusedRealm,
    );
  }

  /** All URLs share one registry, and so its users. */
  #healthyConnection(): Connection | undefined {
    const members = [...this.#urls.values()];
    return (members.find(({ replica }) => replica.health.state === 'up') ?? members[0])?.connection;
  }

  #onProbe(report: ProbeReport): void {
    if (report.readOnly !== undefined) this.#mode = { readOnly: report.readOnly, at: monotonicNow() };
    if (report.unhealthy !== undefined) this.#unhealthy = report.unhealthy;
    if (report.authMode !== undefined) this.#authMode = report.authMode;
    this.view();
    this.content.lookIfDue();
    if (report.canary === 'good') this.referrers.lookIfDue();
    inBackground('content', () => this.content.recheck())();
  }

  /** Updates state and gate; called by every probe and before every decision. */
  #updateState(replicas: readonly ReplicaView[]): { state: HealthState; reason: string } {
    const now = monotonicNow();
    const best =
      replicas.find((one) => one.state === 'up') ?? replicas.find((one) => one.state === 'unknown') ?? replicas[0];
    const state = best?.state ?? 'unknown';
    const reason = best?.reason ?? '';
    if (state !== this.#state.state) {
      this.#state = { state, since: now };
      // An upstream may come back with an older storage. The look begins once this change is through.
      if (state === 'up') queueMicrotask(inBackground('content', () => this.content.look()));
    }
    const doubtful = replicas.length > 0 && replicas.every((one) => one.suspected && one.canary === 'failing');
    // Only URLs in the upstream's own state count. A URL that is down has had no push that could open its breaker.
    const able = replicas.filter((one) => one.state === state);
    const pushBreakerOpen = able.length > 0 && able.every((one) => one.breakers.push === 'open');
    const proofs = able.map(({ proof }) => proof);
    const unproven = unprovenObstacle(this.name, proofs);
    const refused = this.#accounts[0].refusal?.total === true;
    const told = withCanaryAdvice(reason, this.name, proofs);
    const gate = nextGate(
      this.#gate,
      { state, reason: told, readOnly: this.#readOnly === true, pushBreakerOpen, doubtful, unproven, refused },
      this.config.probe.settle,
      now,
    );
    const changed = gate.mode !== this.#gate?.mode;
    this.#gate = gate;
    if (changed) this.#onGate(gate);
    return { state, reason };
  }

  #onGate(gate: Gate): void {
    this.#events.gate(this.name, gate);
    if (gate.mode !== 'refusing') return;
    for (const resolve of this.#onRefusing) resolve(gate);
    this.#onRefusing.clear();
  }
}

function isHealthy({ state, suspected }: ReplicaView): boolean {
  return state === 'up' && !suspected;
}

/**
 * The identity of a registry, in 22 characters of base64url. Equal on every node that uses the same URLs, whatever name
 * the configuration gives the registry.
 */
export function registryIdentity(urls: readonly string[]): string {
  const normal = urls.map((url) => new URL(url).href.replace(/\/+$/, '')).sort();
  return createHash('sha256').update(JSON.stringify(normal)).digest('base64url').slice(0, 22);
}
