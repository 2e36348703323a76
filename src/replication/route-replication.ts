import { setTimeout as wait } from 'node:timers/promises';
import { isoTime, monotonicNow } from '../clock/clock.ts';
import type { Config } from '../config/schema.ts';
import { type Route, toUpstream } from '../failover/rewrite.ts';
import type { CanaryState, HealthState, UpstreamView } from '../failover/view.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { ComparedRepository } from './compare/comparison.ts';
import { type ReconcileResult, reconcile } from './compare/reconcile.ts';
import { CopyError, messageOf } from './copy-error.ts';
import { type CopyRoute, clientRepository, repositoryPair } from './copy-route.ts';
import { Coverage, type TagCoverage } from './coverage/coverage.ts';
import { PulledDigests } from './coverage/pulled-digests.ts';
import type { PulledLog } from './coverage/pulled-log.ts';
import type { RepositoryReport } from './coverage/report.ts';
import type { Hint } from './hint.ts';
import type { RemoteRegistry } from './registry/remote-registry.ts';
import type { CopyRouteView, CoveredRoute, FailureView } from './replication-view.ts';
import { type CopyTask, PRIORITY, type TaskQueue } from './task-queue.ts';

/** Tasks of one comparison that may wait; the comparison pauses while there are more. */
const MAX_WAITING_TASKS = 200;
/** Milliseconds after which a failed comparison is repeated, unless `every` is shorter. */
const RETRY_MS = 60_000;
/** The same for a comparison that failed for some repositories only. */
const PARTIAL_RETRY_MS = 600_000;
const TICK_MS = 500;
/** Repositories and failures shown of each route. `breakwater coverage` shows more. */
const SHOWN = 20;
const TAGS_SHOWN = 5;

/** Replication of one copy route: its coverage, and the comparisons that find gaps. */
export class RouteReplication implements CoveredRoute {
  readonly copyRoute: CopyRoute;
  readonly #options: RouteReplicationOptions;
  #coverage = new Coverage();
  /** Start of the last complete comparison; undefined: none has completed, or its result may be outdated. */
  #comparedAt: number | undefined;
  readonly #digests: PulledDigests;
  /** The last comparison, with its times in monotonic milliseconds. */
  #lastReconcile: FinishedReconcile | null = null;
  /** The comparison that is running. */
  reconciling: Promise<void> | undefined;
  /** Counts how often another edge was seen to copy. */
  #yields = 0;
  /** When the next comparison is due; monotonic milliseconds. */
  dueAt = 0;

  constructor(copyRoute: CopyRoute, options: RouteReplicationOptions) {
    this.copyRoute = copyRoute;
    this.#options = options;
    this.#digests = new PulledDigests({ copyRoute, routes: options.routes, pulls: options.pulls });
  }

  /** Queues what the hint asks for, if it concerns this copy route. */
  enqueueHint({ repository, reference, kind, upstream }: Hint): void {
    const { routes, tasks } = this.#options;
    if (upstream !== undefined && upstream !== this.copyRoute.source.upstream) return;
    const pair = repositoryPair(routes, this.copyRoute, repository);
    if (!pair || (kind === 'delete' && this.copyRoute.route.deletions !== 'follow')) return;
    if (kind === 'push' && !reference.includes(':'))
      this.#coverage.markChanged(this.#clientName(repository), reference);
    tasks.add(this.#task(pair, reference, kind === 'push' ? 'copy' : 'delete'), PRIORITY.hint);
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
    this.reconciling ??= this.#reconcile(signal).finally(() => {
      this.reconciling = undefined;
    });
    return this.reconciling;
  }

  async #reconcile(signal: AbortSignal): Promise<void> {
    this.dueAt = Number.POSITIVE_INFINITY;
    const { every } = this.#options.config;
    const [at, rests] = [monotonicNow(), this.#yields];
    const ended = (result: ReconcileResult) => {
      const { failed, repositories } = result;
      const failingSince = failed === null ? null : (this.#lastReconcile?.failingSince ?? at);
      this.#lastReconcile = { at, tookMs: Math.round(monotonicNow() - at), ...result, failingSince };
      const again = failed === null ? every : Math.min(every, repositories > 0 ? PARTIAL_RETRY_MS : RETRY_MS);
      this.dueAt = monotonicNow() + again * (0.9 + Math.random() * 0.2);
      const outcome = failed ?? `${result.tags} tags in ${result.repositories} repositories, ${result.gaps} to copy`;
      this.#options.onReconcile(this.copyRoute.name, outcome, failed !== null);
    };
    try {
      await this.#waitUntilUp(signal);
      const result = await this.#compareAll(signal);
      // The hints of that time went to the other edge, so this comparison may be outdated.
      if (rests !== this.#yields) {
        this.dueAt = 0;
        return;
      }
      if (result.failed === null) this.#comparedAt = at;
      ended(result);
    } catch (error) {
      if (!signal.aborted) ended({ repositories: 0, tags: 0, gaps: 0, failed: messageOf(error) });
    }
  }

  view(): CopyRouteView {
    const { source, target, route } = this.copyRoute;
    const { tasks } = this.#options;
    const due = [...tasks.queued, ...tasks.failed].filter(({ task }) => task.copyRoute === this.copyRoute);
    const { failures } = this;
    let oldest = this.#coverage.oldestGapSince;
    for (const { since } of due) oldest = Math.min(oldest, since);
    return {
      prefix: route.prefix,
      registry: route.registry,
      source: source.upstream,
      target: target.upstream,
      coverage: {
        ...this.#coverage.totals(),
        comparedAt: isoOrNull(this.#comparedAt),
      },
      lagSeconds: Number.isFinite(oldest) ? Math.round(Math.max(0, monotonicNow() - oldest) / 1000) : 0,
      queued: due.length - failures.length,
      failing: failures.length,
      failures: failures.slice(0, SHOWN),
      gaps: this.gaps(SHOWN, TAGS_SHOWN).map(({ repository, missing, stale, gaps }) => ({
        repository,
        missing,
        stale,
        tags: gaps.map(({ reference }) => reference),
        since: gaps[0]?.since ?? null,
      })),
      reconcile: this.#lastReconcile && {
        ...this.#lastReconcile,
        at: isoTime(this.#lastReconcile.at),
        failingSince: isoOrNull(this.#lastReconcile.failingSince),
      },
      reconciling: this.reconciling !== undefined,
    };
  }

  get targetState(): HealthState {
    const { state, credentials } = this.#options.view(this.copyRoute.target.upstream);
    return credentials.refusal?.total ? 'down' : state;
  }

  get failures(): FailureView[] {
    return this.#options.tasks.failed
      .filter(({ task }) => task.copyRoute === this.copyRoute)
      .map(({ task, since, tries, reason, retryable }) => ({
        repository: this.#clientName(task.repository.source),
        reference: task.reference,
        since: isoTime(since),
        tries,
        reason,
        passing: retryable,
      }));
  }

  gaps(maxRepositories: number, maxTags: number): RepositoryReport[] {
    return this.#coverage.gaps(maxRepositories, maxTags);
  }

  sinceOf(repository: string, tag: string): string | null {
    return isoOrNull(this.#coverage.gapSince(repository, tag));
  }

  async #compareAll(signal: AbortSignal): Promise<ReconcileResult> {
    const { ledger, registry, routes } = this.#options;
    const [source, target] = [registry(this.copyRoute.source.upstream), registry(this.copyRoute.target.upstream)];
    const began = monotonicNow();
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

  stateOf(repository: string, reference: string): TagCoverage {
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
    const { missing = [], differs = [], surplus = [] } = Object.groupBy(tags, ({ state }) => state);
    const name = this.#clientName(repository.source);
    this.#coverage.recordComparison({
      repository: name,
      tags: tags.length - surplus.length,
      missing: missing.map(({ tag }) => tag),
      stale: differs.map(({ tag }) => tag),
      comparedAt,
      ledgerTime,
    });
    const { upstream } = this.copyRoute.source;
    for (const { tag, sourceDigest, state } of tags) {
      if (sourceDigest !== undefined)
        ledger.recordIfRoom({ upstream, repository: repository.source, tag }, sourceDigest, ledgerTime);
      if (state === 'same') tasks.markInSync(this.#task(repository, tag, 'copy'), comparedAt);
    }
    for (const { tag } of [...missing, ...differs])
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
}

function isoOrNull(at: number | null | undefined): string | null {
  return at == null ? null : isoTime(at);
}

interface FinishedReconcile extends ReconcileResult {
  at: number;
  tookMs: number;
  failingSince: number | null;
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
}
