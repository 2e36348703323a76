import PQueue from 'p-queue';
import { monotonicNow } from '../clock/clock.ts';
import { messageOf } from './copy-error.ts';
import type { CopyRoute, RepositoryPair } from './copy-route.ts';

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
  now?: () => number;
}

/** Most waiting tasks; any more are left to the next comparison. */
const MAX_WAITING = 20_000;
const MAX_FAILED = 10_000;
/** Milliseconds before the first retry; each further wait doubles. */
const RETRY_MS = 15_000;
const LONGEST_RETRY_MS = 900_000;
export const PRIORITY = { hint: 1, reconcile: 0 } as const;

interface Entry {
  task: CopyTask;
  since: number;
  running: boolean;
  /** The task was queued again while it ran, so its copy may be outdated. */
  rerun: boolean;
}

/** The queue of copies: each task once, hints first, failed tasks later. In memory only: the next comparison finds what a restart loses. */
export class TaskQueue {
  readonly #options: TaskQueueOptions;
  readonly #now: () => number;
  readonly #queue: PQueue;
  readonly #entries = new Map<string, Entry>();
  readonly #failed = new Map<string, FailedTask>();
  readonly #stopped = new AbortController();
  readonly counts = { failed: 0, dropped: 0 };

  constructor(options: TaskQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? monotonicNow;
    this.#queue = new PQueue({ concurrency: options.concurrency });
  }

  /** Waiting and running tasks. */
  get size(): { waiting: number; running: number } {
    return { waiting: this.#queue.size, running: this.#queue.pending };
  }

  /** Failed tasks, the oldest failure first. */
  get failed(): FailedTask[] {
    return [...this.#failed.values()];
  }

  /** Waiting and running tasks, with the time since when. */
  get queued(): Iterable<{ task: CopyTask; since: number }> {
    return this.#entries.values();
  }

  /**
   * Tasks of equal priority run in the order of `since`.
   * @param since when the task was first due; monotonic milliseconds
   */
  add(task: CopyTask, priority: number, since = this.#now()): void {
    const key = taskKey(task);
    const known = this.#entries.get(key);
    if (known) {
      known.rerun = known.running;
      // A hint moves a task ahead that a comparison has queued.
      if (!known.running && priority === PRIORITY.hint) this.#raisePriority(key, known.since);
      return;
    }
    if (this.#entries.size >= MAX_WAITING || this.#stopped.signal.aborted) {
      this.counts.dropped += 1;
      return;
    }
    const entry = { task, since: Math.min(since, this.#failed.get(key)?.since ?? since), running: false, rerun: false };
    this.#entries.set(key, entry);
    void this.#queue.add(() => this.#run(key, entry), { priority: queuePriority(priority, entry.since), id: key });
  }

  #raisePriority(key: string, since: number): void {
    try {
      this.#queue.setPriority(key, queuePriority(PRIORITY.hint, since));
    } catch (error) {
      // The task is just being started.
      if (!(error instanceof ReferenceError)) throw error;
    }
  }

  /** Queues failed tasks again that are due for a retry. */
  retry(): void {
    const now = this.#now();
    // A task that is running already would be queued a second time and run twice without a pause.
    for (const { task, retryable, nextAt } of this.#failed.values())
      if (retryable && nextAt <= now && !this.#entries.has(taskKey(task))) this.add(task, PRIORITY.reconcile);
  }

  /**
   * Queues all failed tasks of a copy route again, retryable or not.
   * @param before only tasks that failed before this time; monotonic milliseconds
   */
  retryAll(copyRoute: CopyRoute, before: number): void {
    for (const { task, at } of this.failed)
      if (task.copyRoute === copyRoute && at < before && !this.#entries.has(taskKey(task)))
        this.add(task, PRIORITY.reconcile);
  }

  /**
   * A comparison found the task done.
   * @param at time of the comparison; monotonic milliseconds
   */
  markInSync(task: CopyTask, at: number): void {
    const key = taskKey(task);
    if ((this.#failed.get(key)?.at ?? at) < at) this.#failed.delete(key);
  }

  /** Resolves when fewer than `below` tasks wait. */
  async waitForRoom(below: number): Promise<void> {
    await this.#queue.onSizeLessThan(below);
  }

  async onIdle(): Promise<void> {
    await this.#queue.onIdle();
  }

  /** Aborts running tasks and starts no more. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('replication was stopped'));
    this.#queue.clear();
    this.#entries.clear();
    await this.onIdle();
  }

  /** Never rejects. */
  async #run(key: string, entry: Entry): Promise<void> {
    const { work, isRetryable, onFailure } = this.#options;
    const { signal } = this.#stopped;
    entry.running = true;
    do {
      entry.rerun = false;
      if (signal.aborted) return;
      try {
        await work(entry.task, signal);
        this.#failed.delete(key);
      } catch (error) {
        if (signal.aborted) return;
        this.counts.failed += 1;
        const failed = this.#failure(key, entry, error, isRetryable(error));
        onFailure(failed);
      }
    } while (entry.rerun);
    this.#entries.delete(key);
  }

  #failure(key: string, { task, since }: Entry, error: unknown, retryable: boolean): FailedTask {
    const at = this.#now();
    const tries = (this.#failed.get(key)?.tries ?? 0) + 1;
    const nextAt = at + Math.min(RETRY_MS * 2 ** Math.min(tries - 1, 10), LONGEST_RETRY_MS);
    const failed = { task, since, at, tries, reason: messageOf(error), retryable, nextAt };
    this.#failed.delete(key);
    this.#failed.set(key, failed);
    for (const oldest of this.#failed.keys()) {
      if (this.#failed.size <= MAX_FAILED) break;
      this.#failed.delete(oldest);
    }
    return failed;
  }
}

/** Whole numbers are priorities; the fraction puts older tasks first. */
function queuePriority(priority: number, since: number): number {
  return priority - since / Number.MAX_SAFE_INTEGER;
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
