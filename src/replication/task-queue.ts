import { monotonicNow } from '../clock/clock.ts';
import { CopyBackoff } from '../failover/copy-backoff.ts';
import { inBackground } from '../http/background.ts';
import { CopyError, messageOf } from './copy-error.ts';
import type { CopyRoute, RepositoryPair } from './copy-route.ts';
import { type Lane, WaitingTasks } from './waiting-tasks.ts';

/** A task whose last try failed. Times are monotonic milliseconds. */
export interface FailedTask {
  task: CopyTask;
  /** When the task was first queued. */
  since: number;
  at: number;
  tries: number;
  reason: string;
  /** Whether the task is retried before the next comparison. */
  retryable: boolean;
  /** Earliest time of the next try. */
  nextAt: number;
}

export interface TaskQueueOptions {
  /** Concurrent tasks. */
  concurrency: number;
  /** @throws Error whose message says why */
  work: (task: CopyTask, signal: AbortSignal) => Promise<void>;
  /** Whether a later try may succeed. */
  isRetryable: (error: unknown) => boolean;
  /** Called for each failed try. */
  onFailure: (failed: FailedTask) => void;
  /** Whether tasks may start now. Default: they may. */
  isReady?: () => boolean;
  now?: () => number;
}

/** Most waiting tasks; any more are left to the next comparison. */
const MAX_WAITING = 20_000;
const MAX_FAILED = 10_000;
/** Milliseconds before the first retry; each further wait doubles. */
const RETRY_MS = 15_000;
const LONGEST_RETRY_MS = 900_000;
/** A task that has run for longer than these milliseconds may hang, or be huge: others do not wait for it. */
const SHORT_MS = 250;
/** Most milliseconds between two looks while tasks wait. */
const LOOK_MS = 500;

/** Why a task is added. */
export const PRIORITY = { hint: 'fresh', reconcile: 'backlog' } as const;

/**
 * The share of `concurrency` that short tasks of a lane may take, and how many times `concurrency` may run when tasks of
 * the lane start beside long ones. A comparison finds thousands of tasks, so only a push may start beside many long ones.
 */
const SHARES: Record<Lane, { short: number; all: number }> = {
  fresh: { short: 1, all: 16 },
  backlog: { short: 1, all: 2 },
  failed: { short: 1 / 4, all: 1 },
};
/** Which lane is asked first, start by start: pushes go first, and nothing waits for ever. */
const TURNS: readonly (readonly Lane[])[] = [
  ['fresh', 'backlog', 'failed'],
  ['fresh', 'backlog', 'failed'],
  ['backlog', 'fresh', 'failed'],
  ['failed', 'fresh', 'backlog'],
];

interface Entry {
  task: CopyTask;
  repository: string;
  since: number;
  lane: Lane;
  /** Start of the running try; undefined: the task waits. */
  startedAt: number | undefined;
  /** The task was queued again while it ran, so its copy may be outdated. */
  rerun: boolean;
}

/**
 * The queue of copies: each task once. A task that fails steps back at once, with a backoff of its own; a task that lasts
 * does not keep others waiting (rule 8, ADR 30). In memory only: the next comparison finds what a restart loses.
 */
export class TaskQueue {
  readonly #options: TaskQueueOptions;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting = new WaitingTasks<Entry>();
  readonly #running = new Set<Entry>();
  readonly #failed = new Map<string, FailedTask>();
  readonly #backoff = new CopyBackoff();
  readonly #stopped = new AbortController();
  readonly counts = { failed: 0, dropped: 0 };
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Calls that wait for a smaller queue. */
  readonly #waitingCalls = new Set<{ isDue: () => boolean; resolve: () => void }>();

  constructor(options: TaskQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? monotonicNow;
  }

  /** Waiting and running tasks. */
  get size(): { waiting: number; running: number } {
    return { waiting: this.#waiting.size, running: this.#running.size };
  }

  /** Failed tasks, the oldest failure first. */
  get failed(): FailedTask[] {
    return [...this.#failed.values()];
  }

  /** Since when copies fail whatever the image; undefined: they do not. */
  get backingOffSince(): number | undefined {
    return this.#backoff.backingOffSince;
  }

  /** Waiting and running tasks, with the time since when. */
  get queued(): Iterable<{ task: CopyTask; since: number }> {
    return this.#entries.values();
  }

  /** Whether a task waits, runs, or has failed and is retried later. */
  has(task: CopyTask): boolean {
    const key = taskKey(task);
    return this.#entries.has(key) || this.#failed.has(key);
  }

  /**
   * Tasks of one lane and repository run in the order of `since`.
   * @param since when the task was first due; monotonic milliseconds
   */
  add(task: CopyTask, lane: Lane, since = this.#now()): void {
    const key = taskKey(task);
    const known = this.#entries.get(key);
    if (known) {
      if (known.startedAt !== undefined) known.rerun = true;
      // A hint moves a task ahead that a comparison has queued.
      else if (lane === PRIORITY.hint) this.#move(known, lane);
      return;
    }
    const repository = task.repository.source;
    if (this.#stopped.signal.aborted || !this.#makeRoom(repository)) {
      this.counts.dropped += 1;
      return;
    }
    const failed = this.#failed.get(key);
    const entry: Entry = {
      task,
      repository,
      since: Math.min(since, failed?.since ?? since),
      // What is known to fail waits behind what a comparison has just found. A push may have mended it.
      lane: failed && lane === PRIORITY.reconcile ? 'failed' : lane,
      startedAt: undefined,
      rerun: false,
    };
    this.#entries.set(key, entry);
    this.#waiting.add(entry);
    this.#startNext();
  }

  #move(entry: Entry, lane: Lane): void {
    this.#waiting.remove(entry);
    entry.lane = lane;
    this.#waiting.add(entry);
  }

  /** A repository with thousands of tasks does not keep those of others out. @returns whether there is room */
  #makeRoom(repository: string): boolean {
    if (this.#entries.size < MAX_WAITING) return true;
    const surplus = this.#waiting.surplusBeside(repository);
    if (!surplus) return false;
    this.#waiting.remove(surplus);
    this.#entries.delete(taskKey(surplus.task));
    this.counts.dropped += 1;
    return true;
  }

  /** Queues failed tasks again that are due for a retry, and starts what may start. */
  retry(): void {
    const now = this.#now();
    // A task that is running already would be queued a second time and run twice without a pause.
    for (const { task, retryable, nextAt } of this.#failed.values())
      if (retryable && nextAt <= now && !this.#entries.has(taskKey(task))) this.add(task, 'failed');
    this.#startNext();
  }

  /**
   * Queues all failed tasks of a copy route again, retryable or not.
   * @param before only tasks that failed before this time; monotonic milliseconds
   */
  retryAll(copyRoute: CopyRoute, before: number): void {
    for (const { task, at } of this.failed)
      if (task.copyRoute === copyRoute && at < before && !this.#entries.has(taskKey(task))) this.add(task, 'failed');
  }

  /**
   * A comparison found the task done.
   * @param at time of the comparison; monotonic milliseconds
   */
  markInSync(task: CopyTask, at: number): void {
    const key = taskKey(task);
    if ((this.#failed.get(key)?.at ?? at) < at) this.#failed.delete(key);
  }

  /** Resolves when fewer than `below` tasks of comparisons wait. */
  async waitForRoom(below: number): Promise<void> {
    await this.#until(() => this.#waiting.sizeOf('backlog') < below);
  }

  async onIdle(): Promise<void> {
    await this.#until(() => this.#waiting.size + this.#running.size === 0);
  }

  /** Aborts running tasks and starts no more. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stopped.abort(new Error('replication was stopped'));
    this.#waiting.clear();
    this.#entries.clear();
    this.#resolveCalls();
    await this.onIdle();
  }

  async #until(isDue: () => boolean): Promise<void> {
    if (isDue()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waitingCalls.add({ isDue, resolve });
    await promise;
  }

  #resolveCalls(): void {
    for (const call of this.#waitingCalls) {
      if (!call.isDue()) continue;
      this.#waitingCalls.delete(call);
      call.resolve();
    }
  }

  /** Starts what may start. While tasks wait, it looks again by itself. */
  #startNext(): void {
    clearTimeout(this.#timer);
    if (this.#stopped.signal.aborted) return;
    void this.#startAll();
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => this.#startNext(), this.#untilNextLook()).unref();
  }

  /** Milliseconds until the next running task becomes a long one, but at most `LOOK_MS`. */
  #untilNextLook(): number {
    const now = this.#now();
    const left = [...this.#running].map(({ startedAt = now }) => startedAt + SHORT_MS - now).filter((ms) => ms > 0);
    return Math.ceil(Math.min(LOOK_MS, ...left));
  }

  readonly #startAll = inBackground('copy', () => {
    if (this.#waiting.size > 0 && (this.#options.isReady?.() ?? true))
      for (let next = this.#next(); next; next = this.#next()) void this.#run(next);
    this.#resolveCalls();
  });

  #next(): Entry | undefined {
    const now = this.#now();
    const short = [...this.#running].filter(({ startedAt = now }) => now - startedAt < SHORT_MS);
    if (short.length >= this.#options.concurrency) return undefined;
    for (const lane of TURNS[this.#turn % TURNS.length] ?? []) {
      if (!this.#hasPlace(lane, short)) continue;
      const isNew = lane === 'fresh';
      const entry = this.#waiting.take(
        lane,
        (repository) => this.#backoff.mayStart(repository, isNew, now) && this.#mayHaveMore(repository, lane),
      );
      if (!entry) continue;
      this.#turn += 1;
      this.#backoff.started(isNew, now);
      return entry;
    }
    return undefined;
  }

  /** @param short running tasks that are not long yet */
  #hasPlace(lane: Lane, short: readonly Entry[]): boolean {
    const { concurrency } = this.#options;
    const share = SHARES[lane];
    const own = short.filter((one) => one.lane === lane).length;
    return own < Math.max(1, concurrency * share.short) && this.#running.size < concurrency * share.all;
  }

  /** One repository takes at most a quarter of the places beside long tasks. */
  #mayHaveMore(repository: string, lane: Lane): boolean {
    const { concurrency } = this.#options;
    if (this.#running.size < concurrency) return true;
    const own = [...this.#running].filter((one) => one.repository === repository).length;
    return own < (concurrency * SHARES[lane].all) / 4;
  }

  /** Runs a task. Whatever it throws, its place is free afterwards. */
  readonly #run = inBackground('copy', async (entry: Entry) => {
    entry.startedAt = this.#now();
    this.#running.add(entry);
    try {
      await this.#try(entry);
    } finally {
      this.#running.delete(entry);
      this.#again(entry);
      this.#startNext();
      this.#resolveCalls();
    }
  });

  async #try(entry: Entry): Promise<void> {
    const { signal } = this.#stopped;
    const key = taskKey(entry.task);
    try {
      await this.#options.work(entry.task, signal);
      this.#onSuccess(key);
    } catch (error) {
      if (!signal.aborted) this.#onFailure(key, entry, error);
    }
  }

  /** A task that was queued again while it ran takes its turn again. */
  #again(entry: Entry): void {
    entry.startedAt = undefined;
    if (entry.rerun && !this.#stopped.signal.aborted) {
      entry.rerun = false;
      entry.lane = PRIORITY.hint;
      this.#waiting.add(entry);
    } else {
      this.#entries.delete(taskKey(entry.task));
    }
  }

  #onSuccess(key: string): void {
    this.#failed.delete(key);
    const since = this.#backoff.succeeded();
    if (since === undefined) return;
    // They failed because the upstream did: there is no reason to wait any longer.
    const now = this.#now();
    for (const failed of this.#failed.values()) if (failed.at >= since) failed.nextAt = now;
  }

  #onFailure(key: string, entry: Entry, error: unknown): void {
    const { isRetryable, onFailure } = this.#options;
    const retryable = isRetryable(error);
    const retryAfterMs = error instanceof CopyError ? (error.retryAfterMs ?? 0) : 0;
    this.counts.failed += 1;
    if (retryable) this.#backoff.failed(entry.repository, retryAfterMs, this.#now());
    const failed = this.#failure(key, entry, { reason: messageOf(error), retryable, retryAfterMs });
    onFailure(failed);
  }

  #failure(
    key: string,
    { task, since }: Entry,
    { reason, retryable, retryAfterMs }: { reason: string; retryable: boolean; retryAfterMs: number },
  ): FailedTask {
    const at = this.#now();
    const tries = (this.#failed.get(key)?.tries ?? 0) + 1;
    const backoffMs = Math.min(RETRY_MS * 2 ** Math.min(tries - 1, 10), LONGEST_RETRY_MS);
    const failed = { task, since, at, tries, reason, retryable, nextAt: at + Math.max(backoffMs, retryAfterMs) };
    this.#failed.delete(key);
    this.#failed.set(key, failed);
    for (const oldest of this.#failed.keys()) {
      if (this.#failed.size <= MAX_FAILED) break;
      this.#failed.delete(oldest);
    }
    return failed;
  }
}

/** A tag or digest of one repository that has to be brought in step, on one copy route. */
export interface CopyTask {
  copyRoute: CopyRoute;
  repository: RepositoryPair;
  reference: string;
  /** `delete`: the source has deleted the reference, and the route has `deletions: follow`. */
  kind: 'copy' | 'delete';
}

function taskKey({ copyRoute, repository, reference, kind }: CopyTask): string {
  return [kind, copyRoute.name, repository.source, reference].join('\n');
}
