import { BlockList, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { UpstreamView } from '../failover/view.ts';
import { inBackground } from '../http/background.ts';
import { subjectOfTag } from '../oci/referrers-list.ts';
import { UpstreamError } from '../upstream/upstream-error.ts';
import type { CopyJob } from './copy/copy-job.ts';
import { ImageCopy } from './copy/image-copy.ts';
import { removeFromReferrersTag } from './copy/referrers-tag.ts';
import { CopyError } from './copy-error.ts';
import { type CopyRoute, copyRoutes } from './copy-route.ts';
import type { Hint } from './hint.ts';
import type { RemoteRegistry } from './registry/remote-registry.ts';
import type { AcceptedCopies, ReplicationView } from './replication-view.ts';
import { RouteReplication, type RouteReplicationOptions } from './route-replication.ts';
import { type CopyTask, type FailedTask, TaskQueue } from './task-queue.ts';

/** What each copy route needs, and who hears of failed tasks. */
export interface ReplicatorOptions extends Omit<RouteReplicationOptions, 'tasks'> {
  /** The same registries as `registry`, for copies: they do not wait for what fails. */
  registryForCopies: (upstream: string) => RemoteRegistry;
  onFailure: (failed: FailedTask) => void;
  /** Called when a copy was deleted, because the push upstream does not have its reference any more. */
  onDeleted?: (deleted: { from: string; upstream: string; repository: string; reference: string }) => void;
}

/** Milliseconds between two looks for work. */
const TICK_MS = 1000;
const MIN_GRACE_MS = 300_000;
/** Client downloads from one URL of an upstream at which copies pause. */
const BUSY_TRANSFERS = 128;

/** Keeps fallbacks in step with push upstreams. Hints say what may have changed; regular comparisons find the rest. */
export class Replicator {
  readonly #options: ReplicatorOptions;
  readonly routes: readonly RouteReplication[];
  readonly #imageCopy: ImageCopy;
  /** One queue for each pair of upstreams, so that a failing upstream does not delay copies elsewhere. */
  readonly #queues = new Map<string, TaskQueue>();
  readonly #stopped = new AbortController();
  readonly #copies = { copied: 0, same: 0, absent: 0, deleted: 0 };
  #bytes = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ReplicatorOptions) {
    const { config, routes, onFailure } = options;
    this.#options = options;
    this.#imageCopy = new ImageCopy({ concurrentBlobs: config.blobs, maxBandwidth: config.maxBandwidth });
    const queueOf = ({ source, target }: CopyRoute) => {
      const ends = `${source.upstream} ${target.upstream}`;
      const work = (task: CopyTask, signal: AbortSignal) => this.#runTask(task, signal);
      const isReady = () => [source, target].every(({ upstream }) => hasIdleCapacity(options.view(upstream)));
      const queue =
        this.#queues.get(ends) ?? new TaskQueue({ concurrency: config.images, work, isRetryable, isReady, onFailure });
      this.#queues.set(ends, queue);
      return queue;
    };
    this.routes = copyRoutes(routes).map((on) => new RouteReplication(on, { ...options, tasks: queueOf(on) }));
  }

  start(): void {
    this.#running = this.#loop();
  }

  /** Queues copies for these hints. Hints about other repositories are dropped, and all of them while another edge copies. */
  enqueueHints(hints: readonly Hint[]): void {
    if (!this.activity.active) return;
    for (const hint of hints) for (const route of this.routes) route.enqueueHint(hint);
  }

  /**
   * The operator takes the primary's state of tags that wait on fallbacks.
   * @param repository the client's name; undefined: all that is pushed to the upstream
   */
  acceptPrimary(upstream: string, repository?: string, tag?: string): AcceptedCopies {
    const routes = this.routes.filter(({ copyRoute }) => copyRoute.source.upstream === upstream);
    const all = routes.map((route) => route.acceptPrimary(repository, tag));
    const sum = (of: (one: AcceptedCopies) => number) => all.reduce((total, one) => total + of(one), 0);
    return { accepted: sum(({ accepted }) => accepted), unnamed: sum(({ unnamed }) => unnamed) };
  }

  /** Milliseconds for which something may be unknown before it is a finding. */
  get graceMs(): number {
    return Math.max(2 * this.#options.config.watch, MIN_GRACE_MS);
  }

  view(): ReplicationView {
    const sum = (of: (tasks: TaskQueue) => number) => this.#allQueues.reduce((all, tasks) => all + of(tasks), 0);
    return {
      ...this.activity,
      graceSeconds: this.graceMs / 1000,
      copies: { ...this.#copies, failed: sum(({ counts }) => counts.failed) },
      bytes: this.#bytes,
      dropped: sum(({ counts }) => counts.dropped),
      queue: {
        waiting: sum(({ size }) => size.waiting),
        running: sum(({ size }) => size.running),
        failed: sum(({ failed }) => failed.length),
      },
      routes: this.routes.map((route) => route.view()),
    };
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('replication was stopped'));
    const stopping = this.#allQueues.map((tasks) => tasks.stop());
    await Promise.all([
      ...stopping,
      this.#running,
      ...this.routes.flatMap(({ reconciling, watch: { running } }) => [
        reconciling?.catch(() => undefined),
        running?.catch(() => undefined),
      ]),
    ]);
  }

  /** Never rejects. */
  async #loop(): Promise<void> {
    const { signal } = this.#stopped;
    const look = inBackground('replication', () => this.#look(signal));
    while (!signal.aborted) {
      await look();
      // The wait rejects only when replication stops.
      await wait(TICK_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #look(signal: AbortSignal): void {
    const { active } = this.activity;
    for (const tasks of this.#allQueues) if (active) tasks.retry();
    // An edge that takes over compares at once, because hints went to the other edge.
    for (const route of this.routes) if (!active) route.yieldToPeer();
    // Routes are compared independently: a route that waits for its fallback delays no other.
    const compare = inBackground('comparison', (route: RouteReplication) => route.reconcile(signal));
    for (const route of this.routes) if (active && route.isDue) void compare(route);
    const watch = inBackground('comparison', (route: RouteReplication) => route.watch.look(signal));
    for (const route of this.routes) if (active && route.watch.isDue) void watch(route);
  }

  get #allQueues(): TaskQueue[] {
    return [...this.#queues.values()];
  }

  /** Whether this edge copies now, and why or why not. */
  get activity(): { active: boolean; reason: string } {
    const { when, vip } = this.#options.config;
    if (when === 'never') return { active: false, reason: 'replication.when is never' };
    if (when === 'always' || vip === undefined) return { active: true, reason: 'replication.when is always' };
    return hasAddress(vip)
      ? { active: true, reason: `this edge has ${vip}` }
      : { active: false, reason: `another edge has ${vip}` };
  }

  /** @throws what a copy throws */
  async #runTask(task: CopyTask, signal: AbortSignal): Promise<void> {
    const route = this.routes.find(({ copyRoute }) => copyRoute === task.copyRoute);
    const { ledger, registryForCopies: registry } = this.#options;
    const { copyRoute, repository, reference } = task;
    const job: CopyJob = {
      source: { registry: registry(copyRoute.source.upstream), repository: repository.source },
      target: { registry: registry(copyRoute.target.upstream), repository: repository.target },
      reference,
      beforeReplace: (digest) => this.#refuseLoss(copyRoute.source.upstream, repository.source, reference, digest),
    };
    if (task.kind === 'delete') {
      if (await this.#deleteCopy(job, signal)) route?.requeue(task);
      return;
    }
    const at = ledger.now();
    const { digest, outcome, bytes } = await this.#imageCopy.copy(job, signal);
    this.#copies[outcome] += 1;
    this.#bytes += bytes;
    if (digest === undefined) {
      route?.markDeleted(task);
      return;
    }
    route?.markCopied(task, at);
    const { upstream } = copyRoute.source;
    if (!reference.includes(':'))
      await ledger.recordShown({ upstream, repository: repository.source, tag: reference }, digest, at);
  }

  /**
   * Lets a copy replace another one only if the source is believed (rule 9). A push that was acknowledged is copied in any case.
   * @throws CopyError: the source has lost content
   */
  async #refuseLoss(upstream: string, repository: string, reference: string, digest: string): Promise<void> {
    const { ledger, doubtOf, view } = this.#options;
    const place = { upstream, repository, tag: reference };
    if (reference.includes(':') || ledger.find(place)?.[0]?.digest === digest) return;
    if (!ledger.takesBack(place, digest, ledger.now()) && !view(upstream).contentLost) return;
    const doubt = await doubtOf?.(upstream);
    if (doubt) throw new CopyError(`the copy is kept: ${doubt.text}`, { retryable: true });
  }

  /**
   * Deletes a copy. An unmounted storage lists no tags either, so nothing is deleted unless the source can read its canary.
   * @returns whether the source has the reference after all
   */
  async #deleteCopy({ source, target, reference }: CopyJob, signal: AbortSignal): Promise<boolean> {
    const { registry, repository } = source;
    const isThere = async () => (await registry.resolveDigest(repository, reference, signal)) !== undefined;
    if (await isThere()) return true;
    // This tag was made on the target for clients; the source has a referrers API instead.
    const subject = subjectOfTag(reference);
    if (subject !== undefined && (await registry.supportsReferrers(repository, subject, signal))) return false;
    // The canary is read at the same URL, because another URL may see its storage while this one does not.
    if ((await this.#options.confirmCanary(registry)) !== 'good')
      throw new CopyError(`${registry.name} cannot read a canary, so a missing tag there may be no deletion`, {
        retryable: true,
      });
    const doubt = await this.#options.doubtOf?.(registry.name);
    if (doubt) throw new CopyError(`the copy is kept: ${doubt.text}`, { retryable: true });
    if (reference.includes(':')) await removeFromReferrersTag({ source, target }, reference, signal);
    await target.registry.deleteManifest(target.repository, reference, signal);
    this.#copies.deleted += 1;
    const { name: upstream } = target.registry;
    this.#options.onDeleted?.({ from: registry.name, upstream, repository: target.repository, reference });
    return isThere();
  }
}

/** Whether an upstream is up and has capacity beside clients. */
function hasIdleCapacity({ state, replicas }: UpstreamView): boolean {
  if (state !== 'up') return false;
  return replicas.some(({ inFlight, saturated }) => !saturated.data && inFlight.data < BUSY_TRANSFERS);
}

function isRetryable(error: unknown): boolean {
  if (error instanceof CopyError) return error.retryable;
  return error instanceof UpstreamError || (error instanceof DOMException && error.name === 'TimeoutError');
}

/** Whether this machine holds an address now: of a pair, only the edge that holds the VIP copies. */
function hasAddress(address: string): boolean {
  const wanted = new BlockList();
  wanted.addAddress(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  return Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .some((found) => wanted.check(found.address, found.family === 'IPv6' ? 'ipv6' : 'ipv4'));
}
