import { replicationSchema } from '../../src/config/replication-schema.ts';
import { resolveRoute } from '../../src/failover/rewrite.ts';
import { type LabRegistry, type LabRegistryOptions, startLabRegistry } from '../../src/lab/registry.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { PulledLog } from '../../src/replication/coverage/pulled-log.ts';
import type { Hint } from '../../src/replication/hint.ts';
import type { RemoteRegistry } from '../../src/replication/registry/remote-registry.ts';
import { Replicator } from '../../src/replication/replicator.ts';
import { remoteRegistry } from '../helpers/remote-registry.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';
import { upstream as viewOf } from '../status/snapshot/views.ts';

export interface ReplicatedSiteOptions {
  deletions?: 'keep' | 'follow';
  /** Default: one, `gcr`. */
  fallbacks?: readonly string[];
  primary?: LabRegistryOptions;
  fallback?: LabRegistryOptions;
}

/** One replicating edge, from its start to its end. */
export class ReplicatingEdge {
  readonly replicator: Replicator;
  readonly ledger: Ledger;
  readonly outcomes: string[] = [];
  /** Whether other edges have told what they know, and how often this was asked. */
  isLedgerRead = true;
  /** Whether another edge may know of pushes, and has not told. */
  mayLackNews = false;
  asked = 0;

  constructor(site: ReplicatedSite, ledger: Ledger) {
    this.ledger = ledger;
    this.replicator = new Replicator({
      routes: site.routes,
      config: replicationSchema.parse({}),
      registry: (name) => site.registry(name),
      registryForCopies: (name) => site.registry(name),
      registryForWatch: (name) => site.registry(name),
      view: (name) => viewOf(name, { state: 'up' }),
      confirmCanary: async () => site.canary,
      ledger,
      mayLackNews: () => this.mayLackNews,
      isLedgerRead: () => {
        this.asked += 1;
        return this.isLedgerRead;
      },
      doubtOf: async (name) => {
        const trust = site.lost.get(name);
        return trust && { trust, text: `${name} ${trust === 'lost' ? 'has' : 'may have'} lost content` };
      },
      pulls: new PulledLog(),
      onFailure: ({ reason }) => this.outcomes.push(reason),
      onReconcile: (_, outcome) => this.outcomes.push(outcome),
    });
  }

  hint(repository: string, reference: string, kind: Hint['kind']): void {
    this.replicator.enqueueHints([{ repository, reference, kind, from: 'harbor', upstream: 'harbor' }]);
  }

  /** Compares once, and does what the comparison found. */
  async compare(): Promise<void> {
    for (const route of this.replicator.routes) await route.reconcile(new AbortController().signal);
    await this.idle();
  }

  async idle(): Promise<void> {
    await until(() => {
      const { waiting, running } = this.replicator.view().queue;
      return waiting + running === 0;
    });
  }
}

/** Registries of the lab, and routes between them: `library/` on harbor is `project/` on each fallback. */
export class ReplicatedSite {
  readonly primary: LabRegistry;
  readonly fallbacks: ReadonlyMap<string, LabRegistry>;
  readonly routes: ReturnType<typeof resolveRoute>[];
  /** Of the primary. */
  canary: 'good' | 'failing' = 'good';
  /** Upstreams that lost content, or cannot be asked. */
  readonly lost = new Map<string, 'lost' | 'unclear'>();
  readonly #owner: Owner;
  readonly #registries: ReadonlyMap<string, RemoteRegistry>;

  constructor(
    owner: Owner,
    primary: LabRegistry,
    fallbacks: ReadonlyMap<string, LabRegistry>,
    options: ReplicatedSiteOptions,
  ) {
    this.#owner = owner;
    this.primary = primary;
    this.fallbacks = fallbacks;
    const kindOf = (of: LabRegistryOptions | undefined) => (of?.harbor ? ('harbor' as const) : ('registry' as const));
    const login = (of: LabRegistryOptions | undefined) => {
      const [user] = of?.auth?.users ?? [];
      return user ? { credentials: { username: user.username, password: user.password } } : {};
    };
    this.#registries = new Map([
      [
        'harbor',
        remoteRegistry(owner, 'harbor', primary.url, {
          limit: 200,
          kind: kindOf(options.primary),
          ...login(options.primary),
        }),
      ],
      ...[...fallbacks].map(
        ([name, { url }]) =>
          [
            name,
            remoteRegistry(owner, name, url, {
              limit: 200,
              kind: kindOf(options.fallback),
              ...login(options.fallback),
            }),
          ] as const,
      ),
    ]);
    this.routes = [
      resolveRoute({
        prefix: 'library/',
        push: 'harbor',
        pull: [
          { upstream: 'harbor', replicate: false },
          ...[...fallbacks.keys()].map((upstream) => ({ upstream, prefix: 'project/', replicate: true })),
        ],
        onAbsent: 'stop',
        staleTags: 'warn',
        anonymous: false,
        deletions: options.deletions ?? 'follow',
      }),
    ];
  }

  registry(name: string): RemoteRegistry {
    const registry = this.#registries.get(name);
    if (!registry) throw new Error(name);
    return registry;
  }

  /** Starts an edge that knows nothing, or what another edge tells it. */
  edge(told?: Ledger): ReplicatingEdge {
    const ledger = told ?? new Ledger({ tags: 1000, keep: 1_000_000 });
    if (!told) this.#owner.teardown(() => ledger.close());
    const edge = new ReplicatingEdge(this, ledger);
    this.#owner.teardown(() => edge.replicator.stop());
    return edge;
  }

  /** Tags of a repository of the fallback. */
  there(repository = 'project/app', fallback = 'gcr'): string[] {
    return [...(this.fallbacks.get(fallback)?.store.repository(repository).tags.keys() ?? [])].sort();
  }

  /** The digest of a tag of the fallback. */
  digest(tag: string, repository = 'project/app'): string | undefined {
    return this.fallbacks.get('gcr')?.store.repository(repository).tags.get(tag);
  }

  /** Gives both sides a tag. */
  seedBoth(repository: string, tag: string, blob = 1): void {
    this.primary.seed(`library/${repository}`, tag, { blobs: [blob] });
    for (const fallback of this.fallbacks.values()) fallback.seed(`project/${repository}`, tag, { blobs: [blob] });
  }

  /** Deletes a tag of the primary; its manifest stays. */
  untag(tag: string, repository = 'library/app'): void {
    this.primary.store.repository(repository).tags.delete(tag);
  }
}

export async function startReplicatedSite(owner: Owner, options: ReplicatedSiteOptions = {}): Promise<ReplicatedSite> {
  const names = options.fallbacks ?? ['gcr'];
  const primary = await startLabRegistry(options.primary);
  const fallbacks = new Map<string, LabRegistry>();
  for (const name of names) fallbacks.set(name, await startLabRegistry(options.fallback));
  owner.teardown(() => Promise.all([primary.close(), ...[...fallbacks.values()].map((one) => one.close())]));
  return new ReplicatedSite(owner, primary, fallbacks, options);
}
