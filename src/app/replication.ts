import type { Logger } from 'pino';
import { monotonicNow, readClocks } from '../clock/clock.ts';
import type { Loaded } from '../config/load.ts';
import { lossText, unclearText } from '../failover/lost-content.ts';
import type { Route } from '../failover/rewrite.ts';
import { imageName } from '../oci/reference.ts';
import { type AuditLine, auditLogger } from '../proxy/reply/audit-line.ts';
import { copyRoutes } from '../replication/copy-route.ts';
import { configuredRegistry } from '../replication/registry/configured-registry.ts';
import type { RemoteRegistry } from '../replication/registry/remote-registry.ts';
import { RequestPace } from '../replication/registry/request-pace.ts';
import { RetryPolicy } from '../replication/registry/retry-policy.ts';
import { Replicator } from '../replication/replicator.ts';
import type { Connection } from '../upstream/connection.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { ProcessState } from './process-state.ts';

/** Milliseconds for which a request of a comparison is retried: a repository that fails must not delay the others. */
const COMPARISON_LIMIT_MS = 10_000;
/** Requests of looks between comparisons that an upstream gets at most. */
const WATCH_REQUESTS_PER_SECOND = 5;

export interface ReplicationParts {
  routes: readonly Route[];
  upstreams: ReadonlyMap<string, Upstream>;
  state: Pick<ProcessState, 'ledger' | 'network' | 'peers' | 'pulls'>;
  log: Logger;
}

/** Replication at work, as the routes say. A reload that changes nothing of it takes it over. */
export class ReplicationAtWork {
  readonly replicator: Replicator;
  /** Everything in the configuration that it depends on. */
  readonly identity: string;
  readonly #connections: readonly Connection[];

  constructor(
    { config, material }: Loaded,
    identity: string,
    { routes, upstreams, state: { ledger, network, peers, pulls }, log }: ReplicationParts,
  ) {
    this.identity = identity;
    const names = new Set(copyRoutes(routes).flatMap(({ source, target }) => [source.upstream, target.upstream]));
    const registries = new Map(
      [...names].map((name) => {
        const upstream = config.upstreams[name];
        if (!upstream) throw new Error(`no upstream ${name}`);
        // All URLs of an upstream share the pace.
        const pace = new RequestPace(WATCH_REQUESTS_PER_SECOND);
        const at = (url: string) => {
          const policy = new RetryPolicy({ limitMs: COMPARISON_LIMIT_MS });
          const secrets = material.upstreams[name] ?? {};
          const compared = configuredRegistry(name, url, upstream, secrets, network, policy);
          return { compared, copied: compared.forCopies(), watched: compared.forWatch(pace) };
        };
        return [name, new Map(upstream.urls.map((url) => [url, at(url)]))] as const;
      }),
    );
    const all = [...registries.values()].flatMap((at) => [...at]);
    const urls = new Map(
      all.flatMap(([url, registriesAt]) =>
        Object.values(registriesAt).map((registry): [RemoteRegistry, string] => [registry, url]),
      ),
    );
    this.#connections = all.map(([, { compared }]) => compared.connection);
    const known = (name: string) => {
      const upstream = upstreams.get(name);
      if (!upstream) throw new Error(`no upstream ${name}`);
      return upstream;
    };
    /** A URL that is up, if there is one. All URLs of an upstream share one storage. */
    const urlOf = (name: string) => {
      const { replicas } = known(name).view();
      return (replicas.find(({ state, suspected }) => state === 'up' && !suspected) ?? replicas[0])?.url ?? '';
    };
    const registriesOf = (name: string) => {
      const found = registries.get(name)?.get(urlOf(name));
      if (!found) throw new Error(`no URL of ${name}`);
      return found;
    };
    const audits = auditLogger(log);
    this.replicator = new Replicator({
      routes,
      config: config.replication,
      registry: (name) => registriesOf(name).compared,
      registryForWatch: (name) => registriesOf(name).watched,
      registryForCopies: (name) => registriesOf(name).copied,
      view: (name) => known(name).view(),
      doubtOf: async (name, since = monotonicNow()) => {
        const { content } = known(name);
        const trust = await content.ask(monotonicNow() - since).last;
        const { lost } = content;
        if (lost) return { trust: 'lost', text: lossText(name, lost, readClocks()) };
        return trust === 'unclear' ? { trust, text: unclearText(name) } : undefined;
      },
      confirmCanary: (registry) => known(registry.name).confirmCanary(urls.get(registry) ?? ''),
      ledger,
      isLedgerRead: () => peers.heard,
      mayLackNews: () => peers.mayLackNews,
      pulls,
      onFailure: ({ task, reason, tries, retryable }) =>
        log[retryable ? 'info' : 'warn'](
          { way: task.copyRoute.name, repository: task.repository.source, reference: task.reference, tries, reason },
          retryable ? 'a copy failed and will be retried' : 'an image cannot be copied',
        ),
      onDeleted: ({ from, upstream, repository, reference }) => {
        const what = imageName(repository, reference);
        const audit: AuditLine = { action: 'delete', result: 'done', by: `deleted on ${from}`, what, upstream };
        audits.info({ audit }, 'deleted a copy');
      },
      onReconcile: (way, outcome, failed) =>
        log[failed ? 'warn' : 'info']({ way, outcome }, 'compared the two upstreams'),
    });
  }

  /**
   * Takes over the replication at work if nothing of it changed, so that a reload does not compare everything anew.
   * Undefined: replication is off.
   */
  static of(
    loaded: Loaded,
    parts: ReplicationParts,
    identity: string,
    atWork: ReplicationAtWork | undefined,
  ): ReplicationAtWork | undefined {
    if (copyRoutes(parts.routes).length === 0) return undefined;
    return atWork?.identity === identity ? atWork : new ReplicationAtWork(loaded, identity, parts);
  }

  async stop(): Promise<void> {
    await this.replicator.stop();
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }
}
