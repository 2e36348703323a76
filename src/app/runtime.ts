import type { Logger } from 'pino';
import type { AccessMemory } from '../auth/access-memory.ts';
import { isoTime, readClocks } from '../clock/clock.ts';
import type { Loaded } from '../config/load.ts';
import { NetworkSet } from '../config/network.ts';
import type { Config } from '../config/schema.ts';
import { lossText } from '../failover/lost-content.ts';
import { resolveRoute } from '../failover/rewrite.ts';
import { inBackground } from '../http/background.ts';
import { HookGate } from '../proxy/endpoints/hook-gate.ts';
import { Handler } from '../proxy/handler.ts';
import type { ProxyContext } from '../proxy/proxy-context.ts';
import { RequestCoalescer } from '../proxy/pull/request-coalescer.ts';
import { TagLooks } from '../proxy/pull/tag-looks.ts';
import { Forwarder } from '../proxy/push/forwarder.ts';
import { auditLogger } from '../proxy/reply/audit-line.ts';
import { ownNames } from '../proxy/request/parse.ts';
import type { Observer } from '../proxy/request-record.ts';
import type { Hint } from '../replication/hint.ts';
import { readDistributionHook } from '../replication/hooks/distribution.ts';
import { readHarborHook } from '../replication/hooks/harbor.ts';
import type { UpstreamEvents } from '../upstream/events.ts';
import { registryIdentity, Upstream } from '../upstream/upstream.ts';
import { accessOf } from './access.ts';
import { credentialEvents } from './credential-events.ts';
import type { ProcessState } from './process-state.ts';
import { isRealmElsewhere, refusedRealmText } from './refused-realm.ts';
import { ReplicationAtWork } from './replication.ts';

export interface RuntimeParts {
  state: ProcessState;
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
  readonly #state: ProcessState;
  /** Configuration and secrets of each upstream, compared at the next reload. */
  readonly #identities: Map<string, string>;
  /** Undefined: replication is off. */
  readonly atWork: ReplicationAtWork | undefined;
  /** The runtime that replaced this one. */
  #successor: Runtime | undefined;
  #scrubTimer: NodeJS.Timeout | undefined;
  #inUse = 0;
  #idle: PromiseWithResolvers<void> | undefined;
  /** The end of the runtime before this one. The caller of its `retire` gets its errors. */
  #predecessor: Promise<void> = Promise.resolve();

  constructor(loaded: Loaded, { state, observer, log }: RuntimeParts, previous?: Runtime) {
    this.#state = state;
    const { ledger, manifestCache, hasher, copies, scrubber, network, access, pulls, shown } = state;
    const { config, material } = loaded;
    const identity = (name: string) => JSON.stringify([config.upstreams[name], material.upstreams[name]]);
    this.#identities = new Map(Object.keys(config.upstreams).map((name) => [name, identity(name)]));
    const kept = (name: string) => previous?.unchanged(name, identity(name));
    const pushed = new Set(config.routes.flatMap((route) => route.push ?? []));
    const events = { ...eventsTo(log, pushed), realm: realmEvent(log, config) };
    const upstreams = new Map(
      Object.entries(config.upstreams).map(([name, upstream]) => [
        name,
        kept(name) ?? new Upstream(name, upstream, material.upstreams[name] ?? {}, network, events),
      ]),
    );
    for (const { name, content } of upstreams.values()) content.pushes = () => ledger.standingPushes(name);
    const routes = config.routes.map(resolveRoute);
    this.atWork = ReplicationAtWork.of(
      loaded,
      { routes, upstreams, state, log },
      JSON.stringify([config.replication, routes, [...this.#identities]]),
      previous?.atWork,
    );
    let turn = 0;
    this.context = {
      config,
      routes,
      upstreams,
      views: () => new Map([...upstreams].map(([name, upstream]) => [name, upstream.view()])),
      ledger,
      tellPeers: () => state.peers.tell(),
      unheard: () => state.peers.unheard(),
      manifestCache,
      hasher,
      copies,
      scrubber,
      coalescer: new RequestCoalescer(config.manifests.tagFreshness),
      looks: new TagLooks(),
      shown,
      sealer: state.sealerOf(loaded),
      forwarder: new Forwarder(network.resolver),
      access: accessOf(loaded, {
        ...{ routes, upstreams, memory: access, resolver: network.resolver, log },
        tellPeers: () => state.peers.tell(),
      }),
      trustedProxies: config.trustedProxies.length > 0 ? new NetworkSet(config.trustedProxies) : undefined,
      hooks: material.hookSecret === undefined ? undefined : hooksOf(material.hookSecret, access),
      hints: this.atWork && { enqueueHints: (hints) => this.takeHints(hints) },
      pulls,
      observer,
      log,
      requests: log.child({}, { redact: [] }),
      audit: auditLogger(log),
      names: ownNames(config),
      turn: () => {
        turn = (turn + 1) % 1_000_000;
        return turn;
      },
    };
    this.handler = new Handler(this.context);
  }

  /** Starts the probes of new upstreams. Resolves after the first round of probes, whatever its result. */
  async start(previous?: Runtime): Promise<void> {
    const fresh = [...this.context.upstreams.values()].filter((upstream) => !previous?.owns(upstream));
    await Promise.all(fresh.map((upstream) => upstream.start()));
    this.#state.ledger.askContent = (name) => this.context.upstreams.get(name)?.content.ask();
    if (this.atWork !== previous?.atWork) this.atWork?.replicator.start();
    const { verifyAgain } = this.context.config;
    const tick = inBackground('scrub', () => this.#state.scrubber.run(this.context));
    this.#scrubTimer = setInterval(tick, Math.min(verifyAgain, MAX_TICK_MS)).unref();
  }

  /** The upstream of that name, if its configuration and secrets are the same. */
  unchanged(name: string, identity: string): Upstream | undefined {
    return this.#identities.get(name) === identity ? this.context.upstreams.get(name) : undefined;
  }

  /** Hands hints on to the newest runtime: a push may end long after a reload. */
  takeHints(hints: readonly Hint[]): void {
    if (this.#successor) this.#successor.takeHints(hints);
    else this.atWork?.replicator.enqueueHints(hints);
  }

  owns(upstream: Upstream): boolean {
    return this.context.upstreams.get(upstream.name) === upstream;
  }

  /**
   * Forgets what is remembered of upstreams that changed. Manifests, and what they have shown, are forgotten at any change, because other
   * credentials may show less. Tags and copies are forgotten only if the name means another registry now: a tag must
   * not go back in time because a password was replaced (rule 6). Called when this runtime serves.
   * @returns whether tags were forgotten
   */
  forgetChanged(previous: Runtime): boolean {
    const { ledger, manifestCache, copies, shown } = this.#state;
    const changed = [...previous.context.upstreams.values()].filter((upstream) => !this.owns(upstream));
    const moved = changed.filter(({ name }) => this.#registryOf(name) !== previous.#registryOf(name));
    for (const { name } of changed) for (const store of [manifestCache, shown]) store.forget(name);
    for (const { name } of moved) for (const store of [ledger, copies]) store.forget(name);
    return moved.length > 0;
  }

  /** Undefined: there is no upstream of that name. */
  #registryOf(name: string): string | undefined {
    const upstream = this.context.config.upstreams[name];
    return upstream && registryIdentity(upstream.urls);
  }

  /** Counts a request in. @returns a function to call when the request is over */
  use(): () => void {
    this.#inUse += 1;
    return () => {
      this.#inUse -= 1;
      if (this.#inUse === 0) this.#idle?.resolve();
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
    const copied = this.atWork === next?.atWork ? undefined : this.atWork?.stop();
    copied?.catch(() => undefined);
    this.#idle = Promise.withResolvers();
    if (this.#inUse > 0) await this.#idle.promise;
    clearInterval(this.#scrubTimer);
    await copied;
    // A request from two reloads ago may still use an upstream of this runtime.
    await this.#predecessor;
    await Promise.all(
      [...this.context.upstreams.values()].filter((one) => !next?.owns(one)).map((upstream) => upstream.stop()),
    );
  }
}

function hooksOf(secret: string, { failures }: AccessMemory): ProxyContext['hooks'] {
  return {
    gate: new HookGate(secret, failures),
    readers: { harbor: readHarborHook, distribution: readDistributionHook },
  };
}

function realmEvent(log: Logger, config: Config): NonNullable<UpstreamEvents['realm']> {
  return (upstream, host) => {
    if (isRealmElsewhere(config, upstream, host)) log.warn({ upstream, host }, refusedRealmText(upstream, host));
  };
}

function eventsTo(log: Logger, pushed: ReadonlySet<string>): UpstreamEvents {
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
    content: (upstream, loss) => {
      if (loss)
        log.error(
          { upstream, ...loss, since: isoTime(loss.since), noticedAt: isoTime(loss.noticedAt) },
          lossText(upstream, loss, readClocks()),
        );
      else
        log.info({ upstream }, 'no acknowledged content is missed any more; what the upstream shows is copied again');
    },
    ...credentialEvents(log),
  };
}
