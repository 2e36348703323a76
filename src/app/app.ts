import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Logger, pino } from 'pino';
import { type AdminAccess, AdminHandler } from '../admin/admin-handler.ts';
import { monotonicNow } from '../clock/clock.ts';
import { acmeOf } from '../config/acme-names.ts';
import type { Loaded } from '../config/load.ts';
import { isLocalListener, isLoopback, UNIX } from '../config/network.ts';
import { onBackgroundError } from '../http/background.ts';
import { OciError } from '../oci/error.ts';
import { answerPeer, isPeerQuestion } from '../peer/peer-endpoint.ts';
import { VipWatch } from '../peer/vip-watch.ts';
import { accept } from '../proxy/endpoints/accept.ts';
import { explain } from '../proxy/endpoints/explain.ts';
import { ImageExplainer } from '../proxy/endpoints/explain-now.ts';
import type { RequestRecord } from '../proxy/request-record.ts';
import { readCoverageQuery } from '../replication/coverage/coverage-query.ts';
import { coverageReport } from '../replication/coverage/coverage-report.ts';
import { createAdminServer } from '../server/admin-listener.ts';
import { addressOf, addressText, closeNow, listenAddress } from '../server/bound-address.ts';
import { DescriptorReserve } from '../server/descriptor-reserve.ts';
import { openListener, type PassedSockets, refuseUnused } from '../server/passed-sockets.ts';
import { type AdminParts, adminAnswer } from '../status/admin.ts';
import { explainRequest } from '../status/explained-request.ts';
import { FailoverRing } from '../status/failover-ring.ts';
import { Metrics } from '../status/metrics/metrics.ts';
import { RequestRing } from '../status/request-ring.ts';
import { SinceStart } from '../status/since-start.ts';
import { type Snapshot, takeSnapshot, version } from '../status/snapshot/snapshot.ts';
import { TagWarnings } from '../status/tag-warnings.ts';
import { AcmeAtEdge } from './acme.ts';
import { adminEvents } from './admin-events.ts';
import { type ClientAddresses, ClientListeners } from './client-listeners.ts';
import { LeaveFile } from './leave-file.ts';
import { hasVip } from './own-vip.ts';
import { longestStop, PlannedStop } from './planned-stop.ts';
import { ProcessState } from './process-state.ts';
import { Runtime, type RuntimeParts } from './runtime.ts';
import { ownSight, vipEvents, vipObstacle, vipView } from './vip.ts';

interface Addresses extends ClientAddresses {
  admin: AddressInfo;
}

/** Keys of `listen` that cannot change without a restart. */
const LISTEN_KEYS = ['https', 'plain', 'http', 'admin', 'proxyProtocol', 'socketMode'] as const;

/** What to do when no descriptor can be opened. */
const SHORT: Record<string, string> = {
  EMFILE:
    'no descriptors are left to this process, so new client connections are closed; raise LimitNOFILE, or lower limits.connections',
  ENFILE:
    'no descriptors are left on this machine, so new client connections are closed; find the process that holds them, or raise fs.file-max',
};

export interface AppOptions {
  /** Default: no log. */
  log?: Logger;
  /** The number of lines that the log has dropped since the start. */
  droppedLogLines?: () => number;
  /** Sockets that the service manager has opened. Default: none. */
  passed?: PassedSockets;
}

/**
 * Wires everything. Listeners and probes begin with `start`.
 * @throws ConfigError if the folder of `tls.acme` cannot be used
 * @throws PassedSocketError for a passed socket whose listener is not configured
 */
export async function createApp(loaded: Loaded, options: AppOptions = {}): Promise<App> {
  const { log = pino({ level: 'silent' }), passed = {} } = options;
  refuseUnused(passed, loaded.config.listen);
  return new App(loaded, { ...options, log }, await AcmeAtEdge.of(loaded, log));
}

export class App {
  readonly #log: Logger;
  readonly #startedAt = monotonicNow();
  readonly #failovers = new FailoverRing();
  readonly #tagWarnings = new TagWarnings();
  readonly #sinceStart = new SinceStart();
  readonly #requests = new RequestRing();
  readonly #metrics: Metrics;
  readonly #processState: ProcessState;
  /** Ends the reports of exceptions of background work. */
  readonly #forgetErrors: () => void;
  readonly #parts: RuntimeParts;
  readonly #clients: ClientListeners;
  readonly #leaveFile: LeaveFile;
  readonly #admin: Server;
  readonly #vip: VipWatch;
  readonly #passed: PassedSockets;
  /** Undefined: certificates are files. */
  readonly #acme: AcmeAtEdge | undefined;
  readonly #descriptors = new DescriptorReserve({
    onChange: (short) => this.#clients.pause(short),
    onShort: (code) => this.#log.error({ code }, SHORT[code] ?? 'no descriptors are left'),
    onOver: (ms) => this.#log.info({ seconds: Math.ceil(ms / 1000) }, 'descriptors are free again'),
  });
  readonly #onListenerError = (error: unknown) => {
    // The reserve logs a shortage once.
    if (Object.hasOwn(SHORT, (error as NodeJS.ErrnoException | undefined)?.code ?? '')) this.#descriptors.check();
    else this.#log.error({ err: error }, 'listener');
  };
  #loaded: Loaded;
  #runtime: Runtime;
  #addresses: Addresses | undefined;
  #phase: 'starting' | 'serving' | 'draining' = 'starting';
  #reloading: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #plannedStop: PlannedStop | undefined;

  constructor(
    loaded: Loaded,
    { log, droppedLogLines = () => 0, passed = {} }: AppOptions & { log: Logger },
    acme: AcmeAtEdge | undefined,
  ) {
    this.#log = log;
    this.#loaded = loaded;
    this.#acme = acme;
    this.#passed = passed;
    this.#leaveFile = new LeaveFile(loaded, log);
    this.#processState = new ProcessState(loaded, log, acme?.state);
    const { peers } = this.#processState;
    this.#vip = new VipWatch({
      own: () => ownSight(this.#runtime.context),
      peers: () => peers.sights(),
      rules: () => this.#loaded.config.vip,
      away: () => this.#phase !== 'serving' || this.#stopped !== undefined,
      vip: () => hasVip(this.#loaded.config.drain.vip),
      release: version,
      onChange: vipEvents(log, () => this.#loaded.config),
    });
    peers.tellSight = () => this.#vip.tell();
    this.#metrics = new Metrics({
      snapshot: () => this.status(),
      certificates: () => this.#clients.certificates.expiries(),
      clients: () => ({ load: this.#clients.load(), counts: { ...this.#clients.counts() } }),
      droppedLogLines,
    });
    this.#forgetErrors = onBackgroundError((task, err) => {
      this.#metrics.backgroundError(task);
      log.error({ task, err }, 'background work failed; it is tried again');
    });
    const observers = [this.#metrics, this.#failovers, this.#tagWarnings, this.#sinceStart, this.#requests];
    const record = (request: RequestRecord) => {
      for (const one of observers) one.record(request);
    };
    this.#parts = { state: this.#processState, observer: { record }, log };
    this.#runtime = new Runtime(loaded, this.#parts);
    const onError = this.#onListenerError;
    this.#clients = new ClientListeners(loaded, {
      // HTTP/2's compatibility objects serve as HTTP/1.1's. This is the only cast between the two.
      handle: (request, response, ...how) => this.#handle(request as never, response as never, ...how),
      hostnames: () => namesOf(this.#loaded),
      trustedProxies: () => this.#runtime.context.trustedProxies,
      log,
      certificates: acme?.pairs() ?? loaded.material.tls,
      challengeAnswer: (token) => acme?.state.answerFor(token),
      onError,
      onConnection: () => void this.#descriptors.check(),
      passed,
    });
    if (acme) acme.onCertificate = (pair) => this.#clients.certificates.replace([pair]);
    const admin = this.#adminHandler();
    this.#admin = createAdminServer((request, response) => admin.handle(request, response), onError, {
      isShort: () => this.#descriptors.check(),
    });
  }

  /** Resolves when clients are served. */
  async start(): Promise<void> {
    if (this.#loaded.material.keys.length === 0) {
      this.#log.warn(
        'keyFile is not set: a key was made for this start. Uploads break at a restart. Set keyFile, and share it between the nodes of a pair',
      );
    }
    for (const warning of this.#loaded.warnings) this.#log.warn(warning, 'configuration');
    this.#descriptors.start();
    const { listen } = this.#loaded.config;
    const socketMode = Number.parseInt(listen.socketMode, 8);
    const place = { name: 'admin', address: listen.admin, socketMode, passed: this.#passed.admin } as const;
    const admin = await openListener(this.#admin, place, this.#onListenerError);
    await Promise.all([this.#runtime.start(), this.#processState.peers.start()]);
    // What another edge has told may be gone from an upstream that came back meanwhile.
    for (const { content } of this.#runtime.context.upstreams.values()) void content.look();
    this.#addresses = { ...(await this.#clients.listen()), admin };
    // After the listeners, which answer challenges.
    this.#acme?.start();
    this.#phase = 'serving';
    this.#vip.start();
    this.#leaveFile.write(false);
  }

  /** Lets requests under way finish, and resolves when all is closed: see `PlannedStop`. A second call joins the first. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const serving = this.#phase === 'serving';
    const unready = () => {
      this.#phase = 'draining';
    };
    if (serving) {
      this.#plannedStop = new PlannedStop({
        clients: this.#clients,
        drain: this.#loaded.config.drain,
        leaveFile: this.#leaveFile,
        peers: () => this.#processState.peers.views(),
        log: this.#log,
        onUnready: unready,
        onLast: () => this.#processState.peers.end(),
      });
      await this.#plannedStop.run();
    }
    unready();
    this.#acme?.stop();
    this.#vip.stop();
    await this.#clients.close();
    await this.#reloading.catch((error: unknown) => this.#log.warn({ err: error }, 'a reload under way failed'));
    await this.#runtime.retire();
    await this.#processState.close();
    this.#descriptors.stop();
    // Replies under way are cut.
    await closeNow(this.#admin);
    this.#forgetErrors();
  }

  /** Tells keepalived that this node must not hold the VIP, because the process ends now. */
  leave(): void {
    this.#leaveFile.write(true);
  }

  /** Changes to another configuration without dropping a connection. If that fails, it rejects and the old one stays. */
  reload(loaded: Loaded): Promise<void> {
    const reloaded = this.#reloading.then(() => this.#reload(loaded));
    this.#reloading = reloaded.catch(() => undefined);
    return reloaded;
  }

  /** Milliseconds that a stop may take by the configuration. */
  get drainMs(): number {
    return longestStop(this.#loaded.config.drain);
  }

  addresses(): Addresses {
    if (!this.#addresses) throw new Error('the edge has not started');
    return this.#addresses;
  }

  /** Takes lines with an `AuditLine`. */
  get audits(): Logger {
    return this.#runtime.context.audit;
  }

  /** Requests that run now. */
  load(): number {
    return this.#clients.load().exchanges;
  }

  /** Drops memory that is kept for bodies to come. */
  trimBuffers(): void {
    this.#processState.network.pool.trim();
  }

  status(): Snapshot {
    const { config, routes } = this.#runtime.context;
    return takeSnapshot({
      hostname: config.hostname,
      listeners: listenersOf(this.#addresses),
      startedAt: this.#startedAt,
      ready: this.#phase === 'serving',
      upstreams: [...this.#runtime.context.views().values()],
      routes,
      failovers: this.#failovers.list(),
      tagWarnings: this.#tagWarnings.list(),
      sinceStart: this.#sinceStart,
      // Earlier findings do not count while nothing is verified.
      corruptCopies: config.verify === 'never' ? [] : this.#processState.copies.corruptCopies(),
      stores: this.#processState.stores(),
      peers: this.#processState.peers.views(),
      unheard: this.#processState.peers.unheardViews(),
      acknowledgements: this.#processState.peers.acknowledgements(),
      replication: this.#runtime.atWork?.replicator.view(),
      acme: this.#acme?.view(),
      vip: vipView(this.#vip, vipObstacle(this.#phase, this.#stopped !== undefined, this.#vip), config),
      stop: this.#plannedStop?.view(),
    });
  }

  #adminHandler(): AdminHandler {
    const explainer = new ImageExplainer();
    const parts: AdminParts = {
      phase: () => this.#phase,
      vipObstacle: () => {
        this.#vip.asked();
        return vipObstacle(this.#phase, this.#stopped !== undefined, this.#vip);
      },
      snapshot: () => this.status(),
      metrics: this.#metrics,
      explain: (image) => explain(this.#runtime.context, image),
      explainNow: (image, user) => explainer.explain(this.#runtime.context, image, user),
      explainRequest: (id) => explainRequest(this.#requests, id),
      accept: (what) => {
        const replicator = this.#runtime.atWork?.replicator;
        return accept(
          this.#runtime.context,
          what,
          (...of) => replicator?.acceptPrimary(...of) ?? { accepted: 0, unnamed: 0 },
        );
      },
      orderCertificate: () => {
        if (!this.#acme)
          throw new OciError('UNSUPPORTED', 'this edge has no tls.acme, so it orders no certificate', { status: 404 });
        return this.#acme.orderNow();
      },
      coverage: (query) => {
        const { routes } = this.#runtime.context;
        const replication = this.#runtime.atWork?.replicator;
        return coverageReport({ replication, routes, pulls: this.#processState.pulls }, readCoverageQuery(query));
      },
    };
    return new AdminHandler({
      access: () => this.#adminAccess(),
      answer: (request) => adminAnswer(parts, request),
      ...adminEvents(this.#log),
    });
  }

  #adminAccess(): AdminAccess {
    const { config, material } = this.#loaded;
    const { admin, adminHosts } = config.listen;
    return {
      address: admin,
      loopback: isLocalListener(admin) || isLoopback(addressOf(this.#admin).address),
      // A listener that is configured by a name is also reached by it.
      hosts: [...(admin.startsWith(UNIX) ? [] : [listenAddress(admin).host.toLowerCase()]), ...adminHosts],
      token: material.adminToken,
      metricsToken: material.metricsToken,
      trustedProxies: this.#runtime.context.trustedProxies,
    };
  }

  async #reload(loaded: Loaded): Promise<void> {
    const { listen } = this.#loaded.config;
    const moved = LISTEN_KEYS.filter((name) => loaded.config.listen[name] !== listen[name]);
    if (moved.length > 0)
      throw new Error(
        `listen.${moved.join(' and listen.')} cannot change without a restart; the old configuration stays in use`,
      );
    if (this.#acme ? !this.#acme.isFor(loaded) : acmeOf(loaded.config) !== undefined)
      throw new Error('tls.acme and its names cannot change without a restart; the old configuration stays in use');
    if (!this.#acme) this.#clients.certificates.replace(loaded.material.tls);
    this.#clients.update(loaded.config.limits);
    this.#processState.reload(loaded);
    const previous = this.#runtime;
    const next = new Runtime(loaded, this.#parts, previous);
    await next.start(previous);
    this.#processState.copies.policy = loaded.config.verify;
    this.#runtime = next;
    this.#processState.follow(loaded, next.forgetChanged(previous));
    this.#loaded = loaded;
    if (this.#leaveFile.reload(loaded) && this.#phase === 'serving' && !this.#stopped) this.#leaveFile.write(false);
    if (this.#acme) this.#acme.hasPeers = loaded.config.peers.length > 0;
    for (const warning of loaded.warnings) this.#log.warn(warning, 'configuration');
    void previous
      .retire(next)
      .catch((error: unknown) => this.#log.error({ err: error }, 'the old configuration did not stop cleanly'));
  }

  #handle(...[request, response, expectsContinue, transport]: Parameters<Runtime['handler']['handle']>): Promise<void> {
    if (transport.tls && isPeerQuestion(request))
      return answerPeer(
        (text, standing) => this.#processState.peers.answer(text, standing),
        request,
        response,
        expectsContinue,
      );
    const runtime = this.#runtime;
    const over = runtime.use();
    response.once('close', over);
    return runtime.handler.handle(request, response, expectsContinue, transport);
  }
}

/** Where the edge listens, as text. */
function listenersOf(addresses: Addresses | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(addresses ?? {}).map(([name, address]) => [name, addressText(address)]));
}

/** Every host name that clients may use for the edge. */
function namesOf({ config }: Loaded): string[] {
  return [config.hostname, ...config.aliases, ...config.routes.flatMap((route) => route.registry ?? [])];
}
