import { monotonicNow } from '../../clock/clock.ts';
import type { ContentDoubt } from '../../failover/lost-content.ts';
import { isListCredible } from '../../failover/proof.ts';
import { findRoute, type Route, toUpstream } from '../../failover/rewrite.ts';
import type { CanaryState, UpstreamView } from '../../failover/view.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { CopyError } from '../copy-error.ts';
import { type CopyRoute, clientRepository, repositoryPair } from '../copy-route.ts';
import type { Coverage } from '../coverage/coverage.ts';
import type { PulledLog } from '../coverage/pulled-log.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { type CopyTask, PRIORITY, type TaskQueue } from '../task-queue.ts';
import type { ComparedRepository } from './comparison.ts';
import { DeletionSightings, type MissingTags } from './deletion-sightings.ts';
import { type ReconcileResult, reconcile } from './reconcile.ts';
import { checkListIsWhole } from './vanished.ts';
import { type WaitingTag, WaitingTags, type WaitingTagsOptions } from './waiting-tags.ts';

export interface RouteComparisonOptions {
  copyRoute: CopyRoute;
  routes: readonly Route[];
  /** Reads the canary at the URL of this registry, to tell whether it sees its storage. */
  confirmCanary: (registry: RemoteRegistry) => Promise<CanaryState>;
  view: (upstream: string) => UpstreamView;
  ledger: Ledger;
  /**
   * Why an upstream is not believed that takes back tags. Undefined: it is.
   * @param since the look must have begun after this time, by default the time of the call; monotonic milliseconds
   */
  doubtOf?: (upstream: string, since?: number) => Promise<ContentDoubt | undefined>;
  /** Whether another edge may have acknowledged pushes of which the ledger has not heard, and may still tell. */
  mayLackNews?: () => boolean;
  /** What clients pulled. */
  pulls: Pick<PulledLog, 'within'>;
  tasks: TaskQueue;
  /** Takes what is found. */
  coverage: () => Coverage;
}

export interface ComparisonResult extends ReconcileResult {
  /** Tags of the target that were seen deleted on the source for the first time. */
  unconfirmed: number;
}

/** Tasks of one comparison that may wait; the comparison pauses while there are more. */
const MAX_WAITING_TASKS = 200;
/** Milliseconds for which a pull shows that a repository exists. */
const PULLED_MS = 31 * 86_400_000;

/** The comparisons of one copy route, and what one comparison has to know of those before. */
export class RouteComparison {
  readonly #options: RouteComparisonOptions;
  readonly #deletions: DeletionSightings;
  readonly waiting = new WaitingTags();
  /** Repositories of the source that had a tag on either side when they were last compared. The source may no longer list them. */
  readonly #remembered = new Set<string>();

  constructor(options: RouteComparisonOptions) {
    this.#options = options;
    this.#deletions = new DeletionSightings({ lastSeen: (repository, tag) => this.#lastSeen(repository, tag) });
  }

  /** A tag was pushed to the source: it is newer than every copy, and not deleted. */
  forget(repository: string, tag: string): void {
    this.waiting.forget(repository, tag);
    this.#deletions.forget(repository, tag);
  }

  /** The operator takes the source's state of a tag that waits. Other edges learn it from the ledger, also after a restart. */
  accept(repository: string, { tag, sourceDigest, targetDigest }: WaitingTag): void {
    const { ledger, tasks, routes, copyRoute } = this.#options;
    const place = { upstream: copyRoute.source.upstream, repository, tag };
    ledger.recordSeen(place, targetDigest, ledger.now());
    ledger.recordAccepted(place, sourceDigest);
    this.waiting.forget(repository, tag);
    const pair = repositoryPair(routes, copyRoute, repository);
    if (pair) tasks.add(this.#task(pair, tag, 'copy'), PRIORITY.hint);
  }

  /** The next comparison is like the first one. */
  clear(): void {
    this.waiting.clear();
    this.#deletions.clear();
  }

  /**
   * Compares all repositories, and queues what differs.
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async run(source: RemoteRegistry, target: RemoteRegistry, signal: AbortSignal): Promise<ComparisonResult> {
    const { ledger, routes, copyRoute, coverage, tasks } = this.#options;
    const [began, ledgerTime] = [monotonicNow(), ledger.now()];
    const seen = new Set<string>();
    const missing: MissingTags[] = [];
    const empty: string[] = [];
    await this.#refuseLoss();
    const result = await reconcile(
      {
        source,
        target,
        toPair: (repository) => repositoryPair(routes, copyRoute, repository),
        onNothingListed: () => this.#refuseEmptyList(source),
        remembered: this.#follows ? this.#remembered : [],
        now: () => ledger.now(),
        onRepository: async (compared) => {
          seen.add(this.#clientName(compared.repository.source));
          if (compared.tags.length > 0) this.#remembered.add(compared.repository.source);
          else empty.push(compared.repository.source);
          if (this.#follows) missing.push({ repository: compared.repository.source, tags: missingTags(compared) });
          await this.#recordComparison(compared, { source, target }, signal);
        },
        areWell: async () => {
          const canaries = await Promise.all([source, target].map((one) => this.#options.confirmCanary(one)));
          return canaries.every((canary) => canary === 'good');
        },
        onFailure: (pair) => seen.add(this.#clientName(pair.source)),
      },
      signal,
    );
    // A storage that is lost during the comparison lists fewer and fewer tags without any failure.
    if ((await this.#options.confirmCanary(source)) === 'failing') throw cannotReadCanary(source);
    await checkListIsWhole(source, this.#knownOnSource(), this.#toSource(seen), signal);
    coverage().retainOnly(seen, began);
    this.waiting.retainOnly((repository) => seen.has(this.#clientName(repository)));
    for (const repository of empty) this.#remembered.delete(repository);
    const unconfirmed = await this.#followDeletions(missing, ledgerTime);
    // A repository that no list names any more would never be found again.
    tasks.retryAll(copyRoute, began);
    return { ...result, unconfirmed };
  }

  /** Repositories of this route that comparisons saw, or that clients pulled, by their names on the source. */
  #knownOnSource(): Set<string> {
    const { pulls, routes, copyRoute, coverage } = this.#options;
    const pulled = [...pulls.within(PULLED_MS)]
      .filter(({ registry, repository }) => findRoute(routes, registry, repository) === copyRoute.route)
      .map(({ repository }) => repository);
    return this.#toSource([...coverage().repositories, ...pulled]);
  }

  #toSource(repositories: Iterable<string>): Set<string> {
    const { route, source } = this.#options.copyRoute;
    return new Set([...repositories].map((name) => toUpstream(route, source, name)));
  }

  /**
   * Queues deletions that an earlier comparison saw too. Called after a complete comparison whose source could read its canary.
   * @returns how many tags were seen deleted for the first time
   */
  async #followDeletions(missing: readonly MissingTags[], ledgerTime: number): Promise<number> {
    if (!this.#follows) return 0;
    const { mayLackNews, tasks, routes, copyRoute } = this.#options;
    if (missing.some(({ tags }) => tags.length > 0)) await this.#refuseDoubt();
    // What is missing may have been pushed through the other edge, so that a restore would look like a deletion.
    if (mayLackNews?.()) this.#deletions.clear();
    const { confirmed, unconfirmed } = this.#deletions.confirm(missing, ledgerTime);
    for (const { repository, tags } of confirmed) {
      const pair = repositoryPair(routes, copyRoute, repository);
      if (pair) for (const tag of tags) tasks.add(this.#task(pair, tag, 'delete'), PRIORITY.reconcile);
      await tasks.waitForRoom(MAX_WAITING_TASKS);
    }
    return unconfirmed;
  }

  /** Storage that is not mounted lists nothing, and nothing was deleted then. @throws CopyError */
  async #refuseEmptyList(source: RemoteRegistry): Promise<void> {
    const canary = await this.#options.confirmCanary(source);
    if (canary === 'failing') throw cannotReadCanary(source);
    const proofs = this.#options.view(source.name).replicas.map(({ proof }) => proof);
    if (!isListCredible(0, canary, proofs))
      throw new CopyError(`${source.name} lists no repositories and has no good canary, so its storage may be missing`);
  }

  /** Whether deletions of the source are followed. */
  get #follows(): boolean {
    return this.#options.copyRoute.route.deletions === 'follow';
  }

  /** Ledger time at which the source was last seen to have a tag; undefined: not known. */
  #lastSeen(repository: string, tag: string): number | undefined {
    const { ledger, copyRoute } = this.#options;
    const [newest] = ledger.find({ upstream: copyRoute.source.upstream, repository, tag }) ?? [];
    return newest?.digest ? newest.confirmedAt : undefined;
  }

  async #recordComparison(
    compared: ComparedRepository,
    { source, target }: Pick<WaitingTagsOptions, 'source' | 'target'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { repository, tags, ledgerTime, comparedAt, answeredAt } = compared;
    if (this.#isTakenBack(compared)) await this.#refuseDoubt(answeredAt);
    const { ledger, tasks, copyRoute, coverage } = this.#options;
    const { missing = [], differs = [], surplus = [] } = Object.groupBy(tags, ({ state }) => state);
    const name = this.#clientName(repository.source);
    coverage().recordComparison({
      repository: name,
      tags: tags.length - surplus.length,
      missing: missing.map(({ tag }) => tag),
      stale: differs.map(({ tag }) => tag),
      comparedAt,
      ledgerTime,
    });
    const { upstream } = copyRoute.source;
    // Where another edge may know more, this edge's ledger does not tell whether the source has lost the copy.
    const lacksNews = this.#options.mayLackNews?.() === true;
    const verdict = (repository: string, tag: string, digest: string) =>
      lacksNews ? 'unknown' : ledger.judge({ upstream, repository, tag }, digest).verdict;
    const replaced = await this.waiting.decide(compared, { source, target, verdict }, signal);
    for (const { tag, sourceDigest, state } of tags) {
      if (sourceDigest !== undefined)
        ledger.recordIfRoom({ upstream, repository: repository.source, tag }, sourceDigest, ledgerTime);
      if (state === 'same') tasks.markInSync(this.#task(repository, tag, 'copy'), comparedAt);
    }
    for (const tag of [...missing.map(({ tag }) => tag), ...replaced])
      tasks.add(this.#task(repository, tag, 'copy'), PRIORITY.reconcile, coverage().gapSince(name, tag));
    await tasks.waitForRoom(MAX_WAITING_TASKS);
  }

  /** Whether the source takes back a tag: see `Ledger.takesBack`. */
  #isTakenBack({ repository, tags, ledgerTime }: ComparedRepository): boolean {
    const { ledger, copyRoute } = this.#options;
    const { upstream } = copyRoute.source;
    const shown = tags.filter(({ state, sourceDigest }) => state === 'surplus' || sourceDigest !== undefined);
    return shown.some(({ tag, sourceDigest = null }) =>
      ledger.takesBack({ upstream, repository: repository.source, tag }, sourceDigest, ledgerTime),
    );
  }

  /**
   * What a source that has lost content lists is compared with nothing (rule 9), and deletions have to be seen twice afterwards.
   * @throws CopyError: the source has lost content
   */
  async #refuseLoss(): Promise<void> {
    const doubt = await this.#options.doubtOf?.(this.#options.copyRoute.source.upstream);
    if (doubt?.trust === 'lost') this.#refuse(doubt);
  }

  /**
   * The same where the source takes back tags: then it must have been possible to look for what it acknowledged.
   * @throws CopyError: the source is not believed
   */
  async #refuseDoubt(since?: number): Promise<void> {
    const doubt = await this.#options.doubtOf?.(this.#options.copyRoute.source.upstream, since);
    if (doubt) this.#refuse(doubt);
  }

  #refuse({ text }: ContentDoubt): never {
    this.#deletions.clear();
    throw new CopyError(`nothing is copied over or deleted: ${text}`, { retryable: true });
  }

  #task(repository: CopyTask['repository'], reference: string, kind: CopyTask['kind']): CopyTask {
    return { copyRoute: this.#options.copyRoute, repository, reference, kind };
  }

  #clientName(repository: string): string {
    return clientRepository(this.#options.routes, this.#options.copyRoute, repository);
  }
}

/** A tag that is listed but cannot be read may be lost on the source: the copy may be the last one. */
function missingTags({ tags }: ComparedRepository): string[] {
  return tags.flatMap(({ tag, state, listedWithoutManifest }) =>
    state === 'surplus' && !listedWithoutManifest ? tag : [],
  );
}

function cannotReadCanary({ name }: RemoteRegistry): CopyError {
  return new CopyError(`${name} cannot read its canary, so its lists may be incomplete`);
}
