import type { Logger } from 'pino';
import type { AccessMemory } from '../auth/access-memory.ts';
import type { Loaded } from '../config/load.ts';
import { NetworkSet } from '../config/network.ts';
import type { CopyIntegrity } from '../digest/copy-integrity.ts';
import type { Hasher } from '../digest/hasher.ts';
import { resolveRoute } from '../failover/rewrite.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { HookGate } from '../proxy/endpoints/hook-gate.ts';
import { Handler } from '../proxy/handler.ts';
import type { ProxyContext } from '../proxy/proxy-context.ts';
import type { CorruptCopyScrubber } from '../proxy/pull/corrupt-copy-scrubber.ts';
import type { ManifestCache } from '../proxy/pull/manifest-cache.ts';
import { RequestCoalescer } from '../proxy/pull/request-coalescer.ts';
import { Forwarder } from '../proxy/push/forwarder.ts';
import { ownNames } from '../proxy/request/parse.ts';
import type { Sealer } from '../proxy/request/sealer.ts';
import type { Observer } from '../proxy/request-record.ts';
import type { PulledLog } from '../replication/coverage/pulled-log.ts';
import type { Hint } from '../replication/hint.ts';
import { readDistributionHook } from '../replication/hooks/distribution.ts';
import { readHarborHook } from '../replication/hooks/harbor.ts';
import type { UpstreamEvents } from '../upstream/events.ts';
import type { Network } from '../upstream/streams.ts';
import { Upstream } from '../upstream/upstream.ts';
import { accessOf } from './access.ts';
import { ReplicationAtWork } from './replication.ts';

export interface RuntimeParts {
  ledger: Ledger;
  manifestCache: ManifestCache;
  hasher: Hasher;
  copies: CopyIntegrity;
  scrubber: CorruptCopyScrubber;
  network: Network;
  /** Logins, and failed ones. */
  access: AccessMemory;
  /** Manifests that clients pulled. */
  pulls: PulledLog;
  observer: Observer;
  log: Logger;
}

const MAX_TICK_MS = 60_000;

/**
 * One configuration at work. A reload makes the next runtime beside it, and the old one ends with the last request
 * that it took. An upstream whose configuration did not change is taken over with its health, breakers and
 * connections.
 */
export class Runtime {
  readonly context: ProxyContext;
  readonly handler: Handler;
  readonly #scrubber: CorruptCopyScrubber;
  readonly #upstreams: Map<string, Upstream>;
  /** Configuration and secrets of each upstream, compared at the next reload. */
  readonly #identities: Map<string, string>;
  /** Undefined: replication is off. */
  readonly #atWork: ReplicationAtWork | undefined;
  /** The runtime that replaced this one. */
  #successor: Runtime | undefined;
  #scrubTimer: NodeJS.Timeout | undefined;
  #inUse = 0;
  #whenIdle: (() => void) | undefined;
  /** The end of the runtime before this one. The caller of its `retire` gets its errors. */
  #predecessor: Promise<void> = Promise.resolve();

  constructor(
    loaded: Loaded,
    { ledger, manifestCache, hasher, copies, scrubber, network, access, pulls, observer, log }: RuntimeParts,
    sealer: Sealer,
    previous?: Runtime,
  ) {
    this.#scrubber = scrubber;
    const { config, material } = loaded;
    const identity = (name: string) => JSON.stringify([config.upstreams[name], material.upstreams[name]]);
    const names = Object.keys(config.upstreams);
    this.#identities = new Map(names.map((name) => [name, identity(name)]));
    const kept = (name: string) => previous?.unchanged(name, identity(name));
    const pushed = new Set(config.routes.flatMap((route) => route.push ?? []));
    const events = eventsTo(log, pushed);
    this.#upstreams = new Map(
      Object.entries(config.upstreams).map(([name, upstream]) => [
        name,
        kept(name) ?? new Upstream(name, upstream, material.upstreams[name] ?? {}, network, events),
      ]),
    );
    const routes = config.routes.map(resolveRoute);
    this.#atWork = ReplicationAtWork.of(
      loaded,
      { routes, upstreams: this.#upstreams, ledger, pulls, network, log },
      JSON.stringify([config.replication, routes, [...this.#identities]]),
      previous?.atWork,
    );
    let turn = 0;
    this.context = {
      config,
      routes,
      upstreams: this.#upstreams,
      views: () => new Map([...this.#upstreams].map(([name, upstream]) => [name, upstream.view()])),
      ledger,
      manifestCache,
      hasher,
      copies,
      scrubber,
      coalescer: new RequestCoalescer(config.manifests.tagFreshness),
      sealer,
      access: accessOf(loaded, { routes, upstreams: this.#upstreams, memory: access }),
      trustedProxies: config.trustedProxies.length > 0 ? new NetworkSet(config.trustedProxies) : undefined,
      hooks: material.hookSecret === undefined ? undefined : hooksOf(material.hookSecret, access),
      hints: this.#atWork && { enqueueHints: (hints) => this.takeHints(hints) },
      pulls,
      observer,
      log,
      requests: log.child({}, { redact: [] }),
      names: ownNames(config),
      turn: () => {
        turn = (turn + 1) % 1_000_000;
        return turn;
      },
    };
    this.handler = new Handler(this.context, new Forwarder(network.resolver));
  }

  /** Starts the probes of new upstreams. Resolves after the first round of probes, whatever its result. */
  async start(previous?: Runtime): Promise<void> {
    const fresh = [...this.#upstreams.values()].filter((upstream) => !previous?.owns(upstream));
    await Promise.all(fresh.map((upstream) => upstream.start()));
    if (this.#atWork !== previous?.atWork) this.#atWork?.replicator.start();
    const { verifyAgain } = this.context.config;
    const tick = () => void this.#scrubber.run(this.context);
    this.#scrubTimer = setInterval(tick, Math.min(verifyAgain, MAX_TICK_MS)).unref();
  }

  /** The upstream of that name, if its configuration and secrets are the same. */
  unchanged(name: string, identity: string): Upstream | undefined {
    return this.#identities.get(name) === identity ? this.#upstreams.get(name) : undefined;
  }

  get atWork(): ReplicationAtWork | undefined {
    return this.#atWork;
  }

  /** Hands hints on to the newest runtime: a push may end long after a reload. */
  takeHints(hints: readonly Hint[]): void {
    if (this.#successor) this.#successor.takeHints(hints);
    else this.#atWork?.replicator.enqueueHints(hints);
  }

  get names(): string[] {
    return [...this.#upstreams.keys()];
  }

  owns(upstream: Upstream): boolean {
    return [...this.#upstreams.values()].includes(upstream);
  }

  /**
   * Forgets the state of upstreams that changed, because their names may mean other registries now. Called when this
   * runtime serves.
   * @returns whether any upstream changed
   */
  forgetChanged(previous: Runtime): boolean {
    const { upstreams, ...known } = this.context;
    const changed = previous.names.filter((name) => previous.context.upstreams.get(name) !== upstreams.get(name));
    for (const name of changed)
      for (const store of [known.ledger, known.manifestCache, known.copies]) store.forget(name);
    return changed.length > 0;
  }

  /** Counts a request in. @returns a function to call when the request is over */
  use(): () => void {
    this.#inUse += 1;
    return () => {
      this.#inUse -= 1;
      if (this.#inUse === 0) this.#whenIdle?.();
    };
  }

  /**
   * Ends this runtime when no request uses it, or an upstream that it took over.
   * @param next the runtime that takes over some of its upstreams
   */
  retire(next?: Runtime): Promise<void> {
    const retired = this.#retire(next);
    if (next) next.#predecessor = retired.catch(() => undefined);
    return retired;
  }

  async #retire(next: Runtime | undefined): Promise<void> {
    this.#successor = next;
    // Replication stops at once, even if transfers are under way: the tags of the old primary must not overwrite or
    // delete what the next runtime copies.
    const copied = this.#atWork === next?.atWork ? undefined : this.#atWork?.stop();
    copied?.catch(() => undefined);
    if (this.#inUse > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    clearInterval(this.#scrubTimer);
    await copied;
    // A request from two reloads ago may still use an upstream of this runtime.
    await this.#predecessor;
    await Promise.all(
      [...this.#upstreams.values()].filter((upstream) => !next?.owns(upstream)).map((upstream) => upstream.stop()),
    );
  }
}

function hooksOf(secret: string, { failures }: AccessMemory): ProxyContext['hooks'] {
  return {
    gate: new HookGate(secret, failures),
    readers: { harbor: readHarborHook, distribution: readDistributionHook },
  };
}

function eventsTo(log: Logger, pushed: ReadonlySet<string>): UpstreamEvents {
  let lastCredentials = 0;
  return {
    health: (upstream, url, from, to, reason) =>
      log[to === 'down' ? 'warn' : 'info']({ upstream, url, from, to, reason }, `upstream is ${to}`),
    breaker: (upstream, url, trafficClass, state) =>
      log[state === 'open' ? 'warn' : 'info']({ upstream, url, class: trafficClass, state }, `breaker is ${state}`),
    gate: (upstream, gate) =>
      pushed.has(upstream) &&
      log[gate.mode === 'refusing' ? 'warn' : 'info'](
        { upstream, mode: gate.mode, reason: gate.reason },
        `pushes: ${gate.mode}`,
      ),
    corruptCopy: (upstream, digest) =>
      log.error(
        { upstream, digest },
        'the copy of a blob has wrong bytes; it is asked for elsewhere until it verifies',
      ),
    credentials: (upstream, detail) => {
      if (detail === undefined) {
        log.info({ upstream }, "the upstream accepts the edge's credentials again");
        return;
      }
      // Every request causes this event. One line a second is enough.
      if (Date.now() - lastCredentials < 1000) return;
      lastCredentials = Date.now();
      log.error({ upstream, detail }, "the upstream refuses the edge's credentials; renew them");
    },
  };
}
