import { setImmediate as giveWay } from 'node:timers/promises';
import { monotonicNow } from '../../clock/clock.ts';
import { findRoute, toUpstream } from '../../failover/rewrite.ts';
import { messageOf } from '../copy-error.ts';
import { clientRepository, type RepositoryPair, repositoryPair } from '../copy-route.ts';
import type { TagCoverage } from '../coverage/coverage.ts';
import type { PulledDigests } from '../coverage/pulled-digests.ts';
import type { PulledManifest } from '../coverage/pulled-log.ts';
import type { RemoteRegistry, RemoteTag } from '../registry/remote-registry.ts';
import { RetryPolicy } from '../registry/retry-policy.ts';
import { type CopyTask, PRIORITY } from '../task-queue.ts';
import type { RouteComparisonOptions } from './route-comparison.ts';

export interface RouteWatchOptions
  extends Pick<
    RouteComparisonOptions,
    'copyRoute' | 'routes' | 'confirmCanary' | 'ledger' | 'pulls' | 'tasks' | 'coverage'
  > {
  /** Milliseconds of a round. */
  every: number;
  /** The registries whose requests keep to the pace. */
  registry: (upstream: string) => RemoteRegistry;
  digests: PulledDigests;
  stateOf: (repository: string, reference: string) => TagCoverage;
  /** Whether this edge copies, both sides are up, and no comparison looks at the same. */
  mayLook: () => boolean;
  /** Hears of a round that was ended by failures. */
  onFailure: (reason: string) => void;
}

/** Milliseconds for which a pull counts. */
const PULLED_MS = 31 * 86_400_000;
/** Repositories that are looked at concurrently, because an answer may take longer than the pace. */
const CONCURRENCY = 4;
/** Share of a round for repositories that were pulled or pushed lately. The others must have their turn too. */
const LATELY_SHARE = 0.75;
/** Most manifests of a repository that are asked for in one look. */
const MAX_ASKED = 50;
/** Consecutive failures that end a round: they concern the registry. */
const MAX_FAILURES = 4;
/** A list of all repositories takes at most this share of the time. */
const CATALOG_SHARE = 0.1;
/** Most repositories that are remembered as changed lately. */
const MAX_CHANGED = 10_000;

/**
 * Looks at the repositories of one copy route between its comparisons: the tags that each side lists, and at the push upstream also the tags
 * that clients pulled, because a list does not show that a tag moved. Finds what no hint has told. It copies and claims nothing while an
 * upstream is down.
 */
export class RouteWatch {
  readonly #options: RouteWatchOptions;
  /** When the next round is due; monotonic milliseconds. */
  #dueAt: number;
  /** Start of the last round. */
  #lastRound = Number.NEGATIVE_INFINITY;
  /** The round that is running. */
  running: Promise<void> | undefined;
  /** Repositories whose turn is to come, by the names that clients use. */
  #turn: Iterator<string> = [].values();
  /** When all repositories may be listed again; monotonic milliseconds. */
  #catalogDueAt = 0;
  /** Repositories in which a hint named a change. */
  #changed = new Set<string>();

  constructor(options: RouteWatchOptions) {
    this.#options = options;
    // The first comparison looks at everything.
    this.#dueAt = monotonicNow() + options.every;
  }

  get isDue(): boolean {
    return this.running === undefined && this.#dueAt <= monotonicNow() && this.#options.mayLook();
  }

  /** @param repository the name that clients use */
  noteChange(repository: string): void {
    if (this.#changed.size < MAX_CHANGED) this.#changed.add(repository);
  }

  look(signal: AbortSignal): Promise<void> {
    this.running ??= this.#round(signal).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  async #round(signal: AbortSignal): Promise<void> {
    const began = monotonicNow();
    const { every } = this.#options;
    this.#dueAt = began + every;
    const pulled = await this.#pulledManifests();
    const lately = this.#lately(pulled);
    this.#lastRound = began;
    const looked = new Set<string>();
    const failures = { inRow: 0, last: '' };
    const lookAll = async (names: Iterator<string>, until: number) => {
      const next = () => {
        const isOver = failures.inRow >= MAX_FAILURES || monotonicNow() >= until || !this.#options.mayLook();
        return signal.aborted || isOver ? undefined : names.next().value;
      };
      const worker = async () => {
        for (let name = next(); name !== undefined; name = next()) {
          if (looked.has(name)) continue;
          looked.add(name);
          await this.#look(name, pulled.get(name) ?? [], signal).then(
            () => {
              failures.inRow = 0;
            },
            (error: unknown) => {
              // A repository that is denied says nothing about the registry.
              failures.inRow += RetryPolicy.isRetryable(error) ? 1 : 0;
              failures.last = messageOf(error);
            },
          );
        }
      };
      await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    };
    await lookAll(lately.values(), began + every * LATELY_SHARE);
    await lookAll(this.#turn, began + every);
    if (monotonicNow() < began + every && failures.inRow < MAX_FAILURES && this.#options.mayLook()) {
      this.#turn = await this.#nextTurn(signal);
      await lookAll(this.#turn, began + every);
    }
    if (failures.inRow >= MAX_FAILURES && !signal.aborted) this.#options.onFailure(failures.last);
  }

  /** What clients pulled of this route, by repository. */
  async #pulledManifests(): Promise<Map<string, PulledManifest[]>> {
    const { pulls, routes, copyRoute } = this.#options;
    const found = new Map<string, PulledManifest[]>();
    for (const [index, pulled] of [...pulls.within(PULLED_MS)].entries()) {
      // Clients need not wait for 50,000 of them.
      if (index % 1000 === 999) await giveWay();
      if (findRoute(routes, pulled.registry, pulled.repository) !== copyRoute.route) continue;
      const own = found.get(pulled.repository);
      if (own) own.push(pulled);
      else found.set(pulled.repository, [pulled]);
    }
    return found;
  }

  /** Repositories that were pulled, pushed or changed since the last round, those first that were not looked at for the longest time. */
  #lately(pulled: ReadonlyMap<string, readonly PulledManifest[]>): string[] {
    const { ledger, copyRoute, routes, coverage } = this.#options;
    const names = this.#changed;
    this.#changed = new Set();
    for (const [name, manifests] of pulled) if (manifests.some(({ at }) => at >= this.#lastRound)) names.add(name);
    for (const { repository, at } of ledger.pushes.of(copyRoute.source.upstream)) {
      if (at >= this.#lastRound && repositoryPair(routes, copyRoute, repository))
        names.add(clientRepository(routes, copyRoute, repository));
    }
    const looked = (name: string) => coverage().countedAt(name) ?? 0;
    return [...names].sort((a, b) => looked(a) - looked(b));
  }

  /** All repositories that were not looked at within half a round: those that are known, and those that the push upstream lists. */
  async #nextTurn(signal: AbortSignal): Promise<Iterator<string>> {
    const { registry, copyRoute, routes, coverage, every } = this.#options;
    const names = new Set(coverage().repositories);
    const began = monotonicNow();
    if (began >= this.#catalogDueAt) {
      try {
        for await (const listed of registry(copyRoute.source.upstream).repositories(signal))
          if (repositoryPair(routes, copyRoute, listed)) names.add(clientRepository(routes, copyRoute, listed));
      } catch {
        // The known ones are looked at all the same. The next comparison says why the list fails.
      }
      this.#catalogDueAt = began + (monotonicNow() - began) / CATALOG_SHARE;
    }
    const recent = monotonicNow() - every / 2;
    return [...names].filter((name) => (coverage().countedAt(name) ?? 0) < recent).values();
  }

  /** @throws CopyError, UpstreamError; the signal's reason */
  async #look(name: string, pulled: readonly PulledManifest[], signal: AbortSignal): Promise<void> {
    const { registry, copyRoute } = this.#options;
    const { route } = copyRoute;
    const [source, target] = [registry(copyRoute.source.upstream), registry(copyRoute.target.upstream)];
    const pair = {
      source: toUpstream(route, copyRoute.source, name),
      target: toUpstream(route, copyRoute.target, name),
    };
    const comparedAt = monotonicNow();
    // In this order, a tag that is pushed and copied meanwhile is not taken for missing.
    const here = await source.listTags(pair.source, signal);
    const there = new Set((await target.listTags(pair.target, signal)).map(({ tag }) => tag));
    if (await this.#record(name, pair, { here, there, comparedAt }, { source, target }))
      await this.#lookAtPulled(name, pair, pulled, { here, there }, { source, target }, signal);
  }

  /**
   * Takes what both sides list, if they are well: a storage that is not mounted lists nothing (rule 13).
   * @returns whether it was taken
   */
  async #record(
    name: string,
    pair: RepositoryPair,
    { here, there, comparedAt }: { here: RemoteTag[]; there: Set<string>; comparedAt: number },
    { source, target }: { source: RemoteRegistry; target: RemoteRegistry },
  ): Promise<boolean> {
    const { coverage, confirmCanary, mayLook, stateOf } = this.#options;
    const missing = here.flatMap(({ tag }) => (there.has(tag) ? [] : tag));
    if (missing.length > 0 && (await confirmCanary(target)) === 'failing') return false;
    if (here.length < (coverage().listed(name) ?? 0) && (await confirmCanary(source)) !== 'good') return false;
    // The coverage may be another one now, and a comparison may have begun.
    if (!mayLook()) return false;
    const isNew = coverage().countedAt(name) === undefined;
    coverage().recordLists({ repository: name, tags: new Set(here.map(({ tag }) => tag)), missing, comparedAt });
    // No comparison has read the digests of a repository that is new.
    if (isNew)
      for (const { tag } of here)
        if (there.has(tag) && stateOf(name, tag) === 'unknown') coverage().markChanged(name, tag);
    // A copy that no comparison has judged may be newer than what a restored primary shows (rule 9).
    const changed = coverage().wasCompared(name) ? coverage().unknownTags(name) : [];
    for (const tag of [...missing, ...changed]) this.#copy(pair, tag);
    return true;
  }

  /** A tag that clients pulled may have moved, and a digest may have no tag any more. */
  async #lookAtPulled(
    name: string,
    pair: RepositoryPair,
    pulled: readonly PulledManifest[],
    { here, there }: { here: RemoteTag[]; there: Set<string> },
    { source, target }: { source: RemoteRegistry; target: RemoteRegistry },
    signal: AbortSignal,
  ): Promise<void> {
    const { ledger, copyRoute, coverage, digests, stateOf, every, mayLook } = this.#options;
    const listed = new Map(here.map(({ tag, digest }) => [tag, digest]));
    const place = (tag: string) => ({ upstream: copyRoute.source.upstream, repository: pair.source, tag });
    const shownAt = (tag: string) => ledger.find(place(tag))?.[0]?.confirmedAt ?? 0;
    const tags = pulled
      .map(({ reference }) => reference)
      .filter((tag) => listed.has(tag) && there.has(tag) && shownAt(tag) < ledger.now() - every)
      .sort((a, b) => shownAt(a) - shownAt(b));
    const isJudged = coverage().wasCompared(name);
    for (const tag of isJudged ? tags.slice(0, MAX_ASKED) : []) {
      const at = ledger.now();
      const digest = listed.get(tag) ?? (await source.resolveDigest(pair.source, tag, signal));
      if (digest === undefined || !mayLook() || !(await ledger.recordShown(place(tag), digest, at))) continue;
      if (stateOf(name, tag) !== 'unknown') continue;
      coverage().markChanged(name, tag);
      this.#copy(pair, tag);
    }
    const unknown = pulled.filter(
      ({ reference }) => reference.includes(':') && digests.digestState(name, reference) === 'unknown',
    );
    for (const { reference } of unknown.slice(0, MAX_ASKED))
      if (mayLook() && (await digests.checkOne(name, reference, source, target, signal)) === 'missing')
        this.#copy(pair, reference);
  }

  /** Queues a copy, unless it waits already or is retried later. */
  #copy(repository: RepositoryPair, reference: string): void {
    const { tasks, copyRoute } = this.#options;
    const task: CopyTask = { copyRoute, repository, reference, kind: 'copy' };
    if (!tasks.has(task)) tasks.add(task, PRIORITY.reconcile);
  }
}
