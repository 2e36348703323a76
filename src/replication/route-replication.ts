import { setTimeout as wait } from 'node:timers/promises';
import type { Config } from '../config/schema.ts';
import { type Route, toUpstream } from '../failover/rewrite.ts';
import type { CanaryState, UpstreamView } from '../failover/view.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { ComparedRepository } from './compare/comparison.ts';
import { type ReconcileResult, reconcile } from './compare/reconcile.ts';
import { CopyError } from './copy-error.ts';
import { type CopyRoute, clientRepository, repositoryPair } from './copy-route.ts';
import { Coverage, type TagCoverage } from './coverage/coverage.ts';
import { PulledDigests } from './coverage/pulled-digests.ts';
import type { PulledLog } from './coverage/pulled-log.ts';
import type { Hint } from './hint.ts';
import type { RemoteRegistry } from './registry/remote-registry.ts';
import type { CopyRouteView, FailureView, ReconcileView } from './replication-view.ts';
import { type CopyTask, type FailedTask, PRIORITY, type TaskQueue } from './task-queue.ts';

/** Tasks of one comparison that may wait; the comparison pauses while there are more. */
const MAX_WAITING_TASKS = 200;
/** Milliseconds after which a failed comparison is repeated, unless `every` is shorter. */
const RETRY_MS = 60_000;
/** The same for a comparison that failed for some repositories only. */
const PARTIAL_RETRY_MS = 600_000;
const TICK_MS = 500;

/** Replication of one copy route: its coverage, and the comparisons that find gaps. */
export class RouteReplication {
  readonly copyRoute: CopyRoute;
  readonly #options: RouteReplicationOptions;
  #coverage = new Coverage();
  /** Start of the last complete comparison; undefined: none has completed, or its result may be outdated. */
  #comparedAt: number | undefined;
  readonly #digests: PulledDigests;
  #lastReconcile: ReconcileView | undefined;
  /** Since when comparisons have failed; undefined: the last one succeeded. */
  #failingSince: number | undefined;
  #reconciling: Promise<void> | undefined;
  /** Counts how often another edge was seen to copy. */
  #yields = 0;
  /** When the next comparison is due; epoch milliseconds. */
  dueAt = 0;

  constructor(copyRoute: CopyRoute, options: RouteReplicationOptions) {
    this.copyRoute = copyRoute;
    this.#options = options;
    this.#digests = new PulledDigests({ copyRoute, routes: options.routes, pulls: options.pulls });
  }

  /** @returns whether the hint concerns this copy route */
  enqueueHint({ repository, reference, kind, upstream }: Hint): boolean {
    const { routes, tasks } = this.#options;
    if (upstream !== undefined && upstream !== this.copyRoute.source.upstream) return false;
    const pair = repositoryPair(routes, this.copyRoute, repository);
    if (!pair || (kind === 'delete' && this.copyRoute.route.deletions !== 'follow')) return false;
    if (kind === 'push' && !reference.includes(':'))
      this.#coverage.markChanged(this.#clientName(repository), reference);
    return tasks.add(this.#task(pair, reference, kind === 'push' ? 'copy' : 'delete'), PRIORITY.hint);
  }

  /** @param at ledger time at which the copy began: later pushes may not be part of it */
  markCopied({ repository, reference }: CopyTask, at: number): void {
    const known = reference.includes(':') ? this.#digests : this.#coverage;
    known.markCopied(this.#clientName(repository.source), reference, at);
  }

  /** Copies a reference again that was to be deleted: the source has it, and the deletion may have removed a new copy. */
  requeue({ repository, reference }: CopyTask): void {
    this.#options.tasks.add(this.#task(repository, reference, 'copy'), PRIORITY.hint);
  }

  /** Records that the push upstream no longer has the reference. */
  markDeleted({ repository, reference }: CopyTask): void {
    const known = reference.includes(':') ? this.#digests : this.#coverage;
    known.markDeleted(this.#clientName(repository.source), reference);
  }

  /** Another edge copies now, and this edge does not hear of its copies. */
  yieldToPeer(): void {
    this.dueAt = 0;
    this.#yields += 1;
    if (this.#comparedAt === undefined && this.#coverage.totals().repositories === 0) return;
    this.#comparedAt = undefined;
    this.#coverage = new Coverage();
  }

  /** Compares both sides and queues what differs. Never rejects. */
  reconcile(signal: AbortSignal): Promise<void> {
    this.#reconciling ??= this.#reconcile(signal).finally(() => {
      this.#reconciling = undefined;
    });
    return this.#reconciling;
  }

  async #reconcile(signal: AbortSignal): Promise<void> {
    this.dueAt = Number.POSITIVE_INFINITY;
    const { every } = this.#options.config;
    const [at, rests] = [Date.now(), this.#yields];
    const ended = (result: ReconcileResult) => {
      const { failed, repositories } = result;
      this.#lastReconcile = { at, tookMs: Date.now() - at, ...result };
      this.#failingSince = failed === undefined ? undefined : (this.#failingSince ?? at);
      const again = failed === undefined ? every : Math.min(every, repositories > 0 ? PARTIAL_RETRY_MS : RETRY_MS);
      this.dueAt = Date.now() + again * (0.9 + (this.#options.random ?? Math.random)() * 0.2);
      const outcome = failed ?? `${result.tags} tags in ${result.repositories} repositories, ${result.gaps} to copy`;
      this.#options.onReconcile(this.copyRoute.name, outcome, failed !== undefined);
    };
    try {
      await this.#waitUntilUp(signal);
      const result = await this.#compareAll(signal);
      // The hints of that time went to the other edge, so this comparison may be outdated.
      if (rests !== this.#yields) {
        this.dueAt = 0;
        return;
      }
      if (result.failed === undefined) this.#comparedAt = at;
      ended(result);
    } catch (error) {
      const failed = error instanceof Error ? error.message : String(error);
      if (!signal.aborted) ended({ repositories: 0, tags: 0, gaps: 0, failed });
    }
  }

  /** @param due all pending tasks. @param failed those of them that failed */
  view(due: readonly { task: CopyTask; since: number }[], failed: readonly FailedTask[]): CopyRouteView {
    const { copyRoute } = this;
    const mine = due.filter(({ task }) => task.copyRoute === copyRoute);
    const failures = failed.filter(({ task }) => task.copyRoute === copyRoute);
    let oldest = this.#coverage.oldestGapSince ?? Number.POSITIVE_INFINITY;
    for (const { since } of mine) oldest = Math.min(oldest, since);
    const { state, credentials } = this.#options.view(copyRoute.target.upstream);
    return {
      name: copyRoute.name,
      prefix: copyRoute.route.prefix,
      registry: copyRoute.route.registry,
      source: copyRoute.source.upstream,
      target: copyRoute.target.upstream,
      targetState: credentials.refusal?.total ? 'down' : state,
      lagMs: Number.isFinite(oldest) ? Math.max(0, Date.now() - oldest) : 0,
      queued: mine.length - failures.length,
      failing: failures.length,
      failures: failures.map((one) => this.#failure(one)),
      comparedAt: this.#comparedAt,
      reconcile: this.#lastReconcile,
      failingSince: this.#failingSince,
      reconciling: this.#reconciling !== undefined,
      coverage: this.#coverage.totals(),
      gaps: (max) => this.#coverage.gaps(max),
      stateOf: (repository, reference) => this.#coverageOf(repository, reference),
      sinceOf: (repository, tag) => this.#coverage.gapSince(repository, tag),
    };
  }

  async #compareAll(signal: AbortSignal): Promise<ReconcileResult> {
    const { ledger, registry, routes } = this.#options;
    const [source, target] = [registry(this.copyRoute.source.upstream), registry(this.copyRoute.target.upstream)];
    const began = Date.now();
    const seen = new Set<string>();
    const result = await reconcile(
      {
        source,
        target,
        toPair: (repository) => repositoryPair(routes, this.copyRoute, repository),
        now: () => ledger.now(),
        onRepository: async (compared) => {
          seen.add(this.#clientName(compared.repository.source));
          await this.#recordComparison(compared);
        },
        onFailure: (pair) => seen.add(this.#clientName(pair.source)),
      },
      signal,
    );
    // A storage that is lost during the comparison lists fewer and fewer tags without any failure.
    if ((await this.#options.confirmCanary(source)) === 'failing')
      throw new CopyError(`${source.name} cannot read its canary, so its lists may be incomplete`);
    this.#coverage.retainOnly(seen, began);
    // A repository that no list names any more would never be found again.
    this.#options.tasks.retryAll(this.copyRoute, began);
    await this.#checkPulledDigests(source, target, signal);
    return result;
  }

  /** Digests that clients pulled are kept on the fallback, with or without a tag. */
  async #checkPulledDigests(source: RemoteRegistry, target: RemoteRegistry, signal: AbortSignal): Promise<void> {
    const { missing, failed } = await this.#digests.check(source, target, signal);
    for (const { repository, digest } of missing)
      this.#options.tasks.add(this.#task(repository, digest, 'copy'), PRIORITY.reconcile);
    if (failed !== undefined && !signal.aborted)
      this.#options.onReconcile(this.copyRoute.name, `some pulled digests could not be checked: ${failed}`, true);
  }

  #coverageOf(repository: string, reference: string): TagCoverage {
    if (reference.includes(':')) return this.#digests.digestState(repository, reference);
    const { route, source } = this.copyRoute;
    const place = { upstream: source.upstream, repository: toUpstream(route, source, repository), tag: reference };
    const shown = this.#options.ledger.find(place)?.[0];
    if (shown?.digest === null) return 'gone';
    if (this.#coverage.has(repository)) return this.#coverage.tagState(repository, reference, shown?.since);
    // After a complete comparison every repository of the push upstream is known, except for newer ones.
    return this.#comparedAt === undefined || (shown && shown.since > this.#comparedAt) ? 'unknown' : 'gone';
  }

  async #recordComparison({ repository, tags, ledgerTime, comparedAt }: ComparedRepository): Promise<void> {
    const { ledger, tasks } = this.#options;
    const named = (wanted: string) => tags.filter(({ state }) => state === wanted).map(({ tag }) => tag);
    const [missing, stale] = [named('missing'), named('differs')];
    const surplus = tags.filter(({ state }) => state === 'surplus');
    this.#coverage.recordComparison({
      repository: this.#clientName(repository.source),
      tags: tags.length - surplus.length,
      missing,
      stale,
      comparedAt,
      ledgerTime,
    });
    const { upstream } = this.copyRoute.source;
    for (const { tag, sourceDigest, state } of tags) {
      if (sourceDigest !== undefined)
        ledger.recordIfRoom({ upstream, repository: repository.source, tag }, sourceDigest, ledgerTime);
      if (state === 'same') tasks.markInSync(this.#task(repository, tag, 'copy'), comparedAt);
    }
    const name = this.#clientName(repository.source);
    for (const tag of [...missing, ...stale])
      tasks.add(this.#task(repository, tag, 'copy'), PRIORITY.reconcile, this.#coverage.gapSince(name, tag));
    if (this.copyRoute.route.deletions === 'follow')
      // A tag that is listed but cannot be read may be lost on the source: the copy may be the last one.
      for (const { tag, listedWithoutManifest } of surplus)
        if (!listedWithoutManifest) tasks.add(this.#task(repository, tag, 'delete'), PRIORITY.reconcile);
    await tasks.waitForRoom(MAX_WAITING_TASKS);
  }

  /** Resolves when both upstreams are up: an upstream without its storage lists nothing. @throws the signal's reason */
  async #waitUntilUp(signal: AbortSignal): Promise<void> {
    const isWell = (upstream: string) => this.#options.view(upstream).state === 'up';
    while (!isWell(this.copyRoute.source.upstream) || !isWell(this.copyRoute.target.upstream))
      await wait(TICK_MS, undefined, { signal, ref: false });
  }

  #task(repository: CopyTask['repository'], reference: string, kind: CopyTask['kind']): CopyTask {
    return { copyRoute: this.copyRoute, repository, reference, kind };
  }

  #clientName(repository: string): string {
    return clientRepository(this.#options.routes, this.copyRoute, repository);
  }

  #failure({ task, since, at, tries, reason, retryable }: FailedTask): FailureView {
    const repository = this.#clientName(task.repository.source);
    return { repository, reference: task.reference, since, at, tries, reason, passing: retryable };
  }
}

export interface RouteReplicationOptions {
  routes: readonly Route[];
  config: Config['replication'];
  registry: (upstream: string) => RemoteRegistry;
  view: (upstream: string) => UpstreamView;
  /** Reads the canary at the URL of this registry, to tell whether it sees its storage. */
  confirmCanary: (registry: RemoteRegistry) => Promise<CanaryState>;
  ledger: Ledger;
  /** What clients pulled. */
  pulls: Pick<PulledLog, 'within'>;
  tasks: TaskQueue;
  onReconcile: (route: string, outcome: string, failed: boolean) => void;
  random?: () => number;
}
