import { setTimeout as wait } from 'node:timers/promises';
import { isoTime, monotonicNow } from '../clock/clock.ts';
import type { Config } from '../config/schema.ts';
import type { CredentialRole } from '../failover/credentials.ts';
import { toUpstream } from '../failover/rewrite.ts';
import type { HealthState, UpstreamView } from '../failover/view.ts';
import type { UpstreamTag } from '../ledger/upstream-tag.ts';
import { outcomeText, pauseAfter, RETRY_MS } from './compare/comparison-outcome.ts';
import { type ComparisonResult, RouteComparison, type RouteComparisonOptions } from './compare/route-comparison.ts';
import { RouteWatch } from './compare/route-watch.ts';
import { messageOf } from './copy-error.ts';
import { type CopyRoute, clientRepository, type RepositoryPair, repositoryPair } from './copy-route.ts';
import { Coverage, type CoverageTotals, type TagCoverage } from './coverage/coverage.ts';
import { FailedPulls } from './coverage/failed-pulls.ts';
import { PulledDigests } from './coverage/pulled-digests.ts';
import type { PulledLog } from './coverage/pulled-log.ts';
import { secondsSince } from './coverage/pulled-tally.ts';
import type { RepositoryReport, WaitingView } from './coverage/report.ts';
import type { Hint } from './hint.ts';
import type { RemoteRegistry } from './registry/remote-registry.ts';
import type { AcceptedCopies, CopyRouteView, CoveredRoute, FailureView } from './replication-view.ts';
import { failureView, isoOrNull, waitingView } from './route-views.ts';
import { type CopyTask, PRIORITY } from './task-queue.ts';

const TICK_MS = 500;
/** Copies use the first of these accounts that an upstream has (`replicationCredentials`). */
const COPY_ROLES: readonly CredentialRole[] = ['replication', 'own', 'probe'];
/** Repositories and failures shown of each route, and tags. `breakwater coverage` shows more. */
const [SHOWN, TAGS_SHOWN] = [20, 5];

/** Replication of one copy route: its coverage, and the comparisons that find gaps. */
export class RouteReplication implements CoveredRoute {
  readonly copyRoute: CopyRoute;
  readonly #options: RouteReplicationOptions;
  #coverage = new Coverage();
  /** Start of the last complete comparison; undefined: none has completed, or its result may be outdated. */
  #comparedAt: number | undefined;
  /** When the last complete comparison ended, or this edge began to copy; monotonic milliseconds. */
  #wholeAt = monotonicNow();
  readonly #digests: PulledDigests;
  readonly #failedPulls = new FailedPulls({
    isGap: (repository, reference) => this.#coverage.gapSince(repository, reference) !== undefined,
  });
  readonly #comparison: RouteComparison;
  /** The last comparison, with its times in monotonic milliseconds. */
  #lastReconcile: FinishedReconcile | null = null;
  /** The comparison that is running. */
  reconciling: Promise<void> | undefined;
  /** Counts how often another edge was seen to copy. */
  #yields = 0;
  readonly watch: RouteWatch;
  /** Whether a comparison has listed the repositories since this edge began to copy. */
  #listed = false;
  /** When the next comparison is due; monotonic milliseconds. */
  dueAt = 0;
  /** Whether the source refused the account of copies when the last comparison began. */
  #wasRefused = false;

  constructor(copyRoute: CopyRoute, options: RouteReplicationOptions) {
    this.copyRoute = copyRoute;
    this.#options = options;
    this.#digests = new PulledDigests({ copyRoute, routes: options.routes, pulls: options.pulls });
    this.#comparison = new RouteComparison({ ...options, copyRoute, coverage: () => this.#coverage });
    this.watch = new RouteWatch({
      ...options,
      copyRoute,
      coverage: () => this.#coverage,
      digests: this.#digests,
      every: options.config.watch,
      registry: options.registryForWatch,
      stateOf: (repository, reference) => this.stateOf(repository, reference),
      mayLook: () =>
        this.#listed &&
        this.reconciling === undefined &&
        this.#areUp &&
        !options.view(copyRoute.source.upstream).contentLost,
      onFailure: (reason) => options.onReconcile(copyRoute.name, `repositories cannot be looked at: ${reason}`, true),
    });
  }

  /** Queues what the hint asks for. A served tag does not replace a copy that no comparison has judged: that may be newer (rule 9). */
  enqueueHint({ repository, reference, kind, upstream, lacked }: Hint): void {
    if (upstream !== undefined && upstream !== this.copyRoute.source.upstream) return;
    const pair = repositoryPair(this.#options.routes, this.copyRoute, repository);
    if (!pair || (kind === 'delete' && this.copyRoute.route.deletions !== 'follow')) return;
    const name = this.#clientName(repository);
    if (lacked) {
      if (lacked.upstream === this.copyRoute.target.upstream) this.#noteLacked(name, pair, reference, lacked.client);
      return;
    }
    const mayReplace = kind !== 'served' || this.#lastReconcile?.failed === null || this.#coverage.wasCompared(name);
    if (kind !== 'served' || !mayReplace) this.watch.noteChange(name);
    if (kind === 'served' && !this.#isNew(name, reference)) return;
    if (kind !== 'delete' && !reference.includes(':'))
      this.#coverage.markChanged(name, reference, this.#isUncounted(name, reference));
    if (kind === 'push' && !reference.includes(':')) this.#comparison.forget(repository, reference);
    const task = this.#task(pair, reference, kind === 'delete' ? kind : 'copy');
    if (mayReplace) this.#options.tasks.add(task, PRIORITY.hint);
  }

  /** A pull failed, because the fallback lacks the image. The copy shows whether the push upstream has it. */
  #noteLacked(repository: string, pair: RepositoryPair, reference: string, client: string): void {
    if (!this.#failedPulls.take(client, repository, reference)) return;
    this.#coverage.markMissing(repository, reference, this.#isUncounted(repository, reference));
    this.#options.tasks.add(this.#task(pair, reference, 'copy'), PRIORITY.reconcile);
  }

  /** Whether nothing has looked at a tag that was served. The copy of a gap waits already, or is retried in its own time. */
  #isNew(repository: string, tag: string): boolean {
    if (!this.#listed || this.#coverage.gapSince(repository, tag) !== undefined) return false;
    return ['unknown', 'gone'].includes(this.stateOf(repository, tag));
  }

  /** Whether the push upstream got the tag after its repository was last looked at. */
  #isUncounted(repository: string, tag: string): boolean {
    const first = this.#options.ledger.find(this.#placeOf(repository, tag))?.at(-1);
    const countedAt = this.#coverage.countedAt(repository);
    return first === undefined || countedAt === undefined || first.since > countedAt;
  }

  /** @param at ledger time at which the copy began: later pushes may not be part of it */
  markCopied({ repository, reference }: CopyTask, at: number): void {
    const known = reference.includes(':') ? this.#digests : this.#coverage;
    known.markCopied(this.#clientName(repository.source), reference, at);
    // Coverage has only those digests whose pull failed.
    if (reference.includes(':')) this.#coverage.markDeleted(this.#clientName(repository.source), reference);
    this.#comparison.waiting.forget(repository.source, reference);
  }

  /** Copies a reference again that was to be deleted: the source has it, and the deletion may have removed a new copy. */
  requeue({ repository, reference }: CopyTask): void {
    this.#options.tasks.add(this.#task(repository, reference, 'copy'), PRIORITY.hint);
  }

  /** Records that the push upstream no longer has the reference. */
  markDeleted({ repository, reference }: CopyTask): void {
    const name = this.#clientName(repository.source);
    if (reference.includes(':')) this.#digests.markDeleted(name, reference);
    this.#coverage.markDeleted(name, reference);
  }

  /** Another edge copies now, and this edge does not hear of its copies. */
  yieldToPeer(): void {
    this.dueAt = 0;
    this.#yields += 1;
    this.#wholeAt = monotonicNow();
    this.#listed = false;
    this.#comparison.clear();
    if (this.#comparedAt === undefined && this.#coverage.totals().repositories === 0) return;
    this.#comparedAt = undefined;
    this.#coverage = new Coverage();
  }

  /**
   * Whether a comparison is due: by time, or because the source refuses the account of copies, or accepts it again. With a refused account
   * the coverage is unknown at once, not only at the next comparison.
   */
  get isDue(): boolean {
    return this.reconciling === undefined && (this.dueAt <= monotonicNow() || this.#isRefused !== this.#wasRefused);
  }

  get #isRefused(): boolean {
    const { accounts = [] } = this.#options.view(this.copyRoute.source.upstream).credentials;
    const account = COPY_ROLES.flatMap((role) => accounts.find((one) => one.role === role) ?? [])[0];
    return account?.refusal?.total === true;
  }

  /** Compares both sides and queues what differs. */
  reconcile(signal: AbortSignal): Promise<void> {
    this.reconciling ??= this.#reconcile(signal).finally(() => {
      this.reconciling = undefined;
      // A comparison that could not even be reported is repeated too.
      if (this.dueAt === Number.POSITIVE_INFINITY) this.dueAt = monotonicNow() + RETRY_MS;
    });
    return this.reconciling;
  }

  async #reconcile(signal: AbortSignal): Promise<void> {
    this.dueAt = Number.POSITIVE_INFINITY;
    this.#wasRefused = this.#isRefused;
    const { every } = this.#options.config;
    const [at, rests] = [monotonicNow(), this.#yields];
    const ended = (result: ComparisonResult) => {
      const { failed } = result;
      const failingSince = failed === null ? null : (this.#lastReconcile?.failingSince ?? at);
      this.#lastReconcile = { at, tookMs: Math.round(monotonicNow() - at), ...result, failingSince };
      this.dueAt = monotonicNow() + pauseAfter(result, every) * (0.9 + Math.random() * 0.2);
      this.#options.onReconcile(
        this.copyRoute.name,
        failed ?? outcomeText(result, this.#comparison.waiting.count),
        failed !== null,
      );
    };
    try {
      await this.#waitUntilReady(signal);
      const result = await this.#compareAll(signal);
      // The hints of that time went to the other edge, so this comparison may be outdated.
      if (rests !== this.#yields) {
        this.#comparison.clear();
        this.dueAt = 0;
        return;
      }
      this.#listed ||= result.failed === null || result.repositories > 0;
      if (result.failed === null) {
        this.#comparedAt = at;
        this.#wholeAt = monotonicNow();
      }
      ended(result);
    } catch (error) {
      if (!signal.aborted) ended({ repositories: 0, tags: 0, gaps: 0, unconfirmed: 0, failed: messageOf(error) });
    }
  }

  view(): CopyRouteView {
    const { source, target, route } = this.copyRoute;
    const { tasks } = this.#options;
    const due = [...tasks.queued, ...tasks.failed].filter(({ task }) => task.copyRoute === this.copyRoute);
    const { failures } = this;
    const now = monotonicNow();
    let oldest = this.#coverage.oldestGapSince();
    for (const { task, since } of due) if (this.#isGap(task)) oldest = Math.min(oldest, since);
    return {
      prefix: route.prefix,
      registry: route.registry,
      source: source.upstream,
      target: target.upstream,
      coverage: {
        ...this.#totals(),
        comparedAt: isoOrNull(this.#comparedAt),
        unknownSeconds: secondsSince(this.#coverage.oldestGapSince('unknown'), now),
        overdue: now - this.#wholeAt > 2 * this.#options.config.every,
      },
      lagSeconds: secondsSince(oldest, now) ?? 0,
      queued: due.length - failures.length,
      failing: failures.length,
      allFailSince: isoOrNull(tasks.backingOffSince),
      failures: failures.slice(0, SHOWN),
      waiting: this.#comparison.waiting.count,
      waitingTags: this.waitingTags(SHOWN),
      gaps: this.gaps(SHOWN, TAGS_SHOWN).map(({ repository, missing, stale, unknown, gaps }) => ({
        ...{ repository, missing, stale, unknown },
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

  /** Whether clients could not pull the reference of a task. A deletion that fails, or a check of what is covered, is no lag. */
  #isGap({ kind, repository, reference }: CopyTask): boolean {
    if (kind === 'delete') return false;
    return this.stateOf(this.#clientName(repository.source), reference) !== 'covered';
  }

  /** A fallback that is down serves nothing of what it has. */
  #totals(): CoverageTotals {
    const totals = this.#coverage.totals();
    return totals.tags > 0 && this.targetState === 'down' ? { ...totals, ratio: 0 } : totals;
  }

  get sourceState(): HealthState {
    return this.#options.view(this.copyRoute.source.upstream).state;
  }

  get targetState(): HealthState {
    const { state, credentials } = this.#options.view(this.copyRoute.target.upstream);
    return credentials.refusal?.total ? 'down' : state;
  }

  get failures(): FailureView[] {
    return this.#options.tasks.failed
      .filter(({ task }) => task.copyRoute === this.copyRoute)
      .map((failed) => failureView(failed, this.#clientName(failed.task.repository.source)));
  }

  waitingTags(max: number): WaitingView[] {
    return [...this.#comparison.waiting.all(max)].map(({ repository, waiting }) =>
      waitingView(waiting, this.#clientName(repository)),
    );
  }

  /**
   * The operator takes the primary's state of tags that wait: the ledger learns that the copies are older, and the tags are copied.
   * @param repository the client's name; undefined: all tags of this route
   * @returns how many tags waited, and how many others do that have no names yet
   */
  acceptPrimary(repository?: string, tag?: string): AcceptedCopies {
    const { waiting } = this.#comparison;
    const accepted = [...waiting.all()].filter((one) => {
      if (repository !== undefined && repository !== this.#clientName(one.repository)) return false;
      return tag === undefined || tag === one.waiting.tag;
    });
    for (const one of accepted) this.#comparison.accept(one.repository, one.waiting);
    if (accepted.length === 0 && repository !== undefined && tag !== undefined && this.#acceptUnnamed(repository, tag))
      return { accepted: 1, unnamed: 0 };
    const unnamed = repository === undefined ? waiting.unnamed : 0;
    // The next comparison names them.
    if (unnamed > 0) this.dueAt = 0;
    return { accepted: accepted.length, unnamed };
  }

  /** A tag that may be one of those that are counted only: a copy of a tag that is in step changes nothing. */
  #acceptUnnamed(repository: string, tag: string): boolean {
    const { route, source } = this.copyRoute;
    const there = toUpstream(route, source, repository);
    if (this.#comparison.waiting.unnamedIn(there) === 0) return false;
    const pair = repositoryPair(this.#options.routes, this.copyRoute, there);
    if (pair) this.#options.tasks.add(this.#task(pair, tag, 'copy'), PRIORITY.hint);
    return pair !== undefined;
  }

  gaps(maxRepositories: number, maxTags: number): RepositoryReport[] {
    return this.#coverage.gaps(maxRepositories, maxTags);
  }

  sinceOf(repository: string, reference: string): number | undefined {
    const gap = this.#coverage.gapSince(repository, reference);
    if (gap !== undefined || reference.includes(':') || this.stateOf(repository, reference) !== 'unknown') return gap;
    return this.#options.ledger.find(this.#placeOf(repository, reference))?.[0]?.since;
  }

  async #compareAll(signal: AbortSignal): Promise<ComparisonResult> {
    const { registry } = this.#options;
    const [source, target] = [registry(this.copyRoute.source.upstream), registry(this.copyRoute.target.upstream)];
    const result = await this.#comparison.run(source, target, signal);
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
    const shown = this.#options.ledger.find(this.#placeOf(repository, reference))?.[0];
    if (shown?.digest === null) return 'gone';
    if (this.#coverage.has(repository)) return this.#coverage.tagState(repository, reference, shown?.since);
    // After a complete comparison every repository of the push upstream is known, except for newer ones.
    return this.#comparedAt === undefined || (shown && shown.since > this.#comparedAt) ? 'unknown' : 'gone';
  }

  /**
   * Resolves when both upstreams are up, because an upstream without its storage lists nothing, and when the ledger has what other edges know.
   * @throws the signal's reason
   */
  async #waitUntilReady(signal: AbortSignal): Promise<void> {
    const { isLedgerRead } = this.#options;
    while (!isLedgerRead() || !this.#areUp) await wait(TICK_MS, undefined, { signal, ref: false });
  }

  get #areUp(): boolean {
    return [this.sourceState, this.#options.view(this.copyRoute.target.upstream).state].every(
      (state) => state === 'up',
    );
  }

  #task(repository: CopyTask['repository'], reference: string, kind: CopyTask['kind']): CopyTask {
    return { copyRoute: this.copyRoute, repository, reference, kind };
  }

  /** A tag at the push upstream, by the name that clients use. */
  #placeOf(repository: string, tag: string): UpstreamTag {
    const { route, source } = this.copyRoute;
    return { upstream: source.upstream, repository: toUpstream(route, source, repository), tag };
  }

  #clientName(repository: string): string {
    return clientRepository(this.#options.routes, this.copyRoute, repository);
  }
}

interface FinishedReconcile extends ComparisonResult {
  at: number;
  tookMs: number;
  failingSince: number | null;
}

export interface RouteReplicationOptions extends Omit<RouteComparisonOptions, 'copyRoute' | 'coverage'> {
  config: Config['replication'];
  registry: (upstream: string) => RemoteRegistry;
  /** The same registries, whose requests keep to the pace of looks between comparisons. */
  registryForWatch: (upstream: string) => RemoteRegistry;
  view: (upstream: string) => UpstreamView;
  /** Whether the ledger has what the other edges of the site knew when this edge started. */
  isLedgerRead: () => boolean;
  /** What clients pulled. */
  pulls: Pick<PulledLog, 'within'>;
  onReconcile: (route: string, outcome: string, failed: boolean) => void;
}
