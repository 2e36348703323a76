import PQueue from 'p-queue';
import type { CopyRoute, RepositoryPair } from './copy-route.ts';

/** Something that could not be copied yet. Times are epoch milliseconds. */
export interface FailedTask {
  task: CopyTask;
  /** When it first was to be copied. */
  since: number;
  at: number;
  tries: number;
  reason: string;
  /** Whether it is tried again before the next reconcile. */
  retryable: boolean;
  /** When, at the soonest. */
  nextAt: number;
}

export interface TaskQueueOptions {
  /** Tasks at once. */
  concurrency: number;
  /** @throws Error whose message says why */
  work: (task: CopyTask, signal: AbortSignal) => Promise<void>;
  /** Whether a failure may go by itself. */
  isRetryable: (error: unknown) => boolean;
  /** Told of each that failed. */
  onFailure: (failed: FailedTask) => void;
  now?: () => number;
}

/** Tasks that wait; what is beyond them is left to the next reconcile. */
const MAX_WAITING = 20_000;
const MAX_FAILED = 10_000;
/** Before something is tried again, in milliseconds; doubled with each try. */
const RETRY_MS = 15_000;
const LONGEST_RETRY_MS = 900_000;
export const PRIORITY = { hint: 1, reconcile: 0 } as const;

interface Entry {
  task: CopyTask;
  since: number;
  running: boolean;
  /** It was asked for again while it ran: what it copies may be old. */
  rerun: boolean;
}

/** What is to be copied: each thing once, hints first, what failed again later. In memory: what is lost, reconcile finds. */
export class TaskQueue {
  readonly #options: TaskQueueOptions;
  readonly #now: () => number;
  readonly #queue: PQueue;
  readonly #entries = new Map<string, Entry>();
  readonly #failed = new Map<string, FailedTask>();
  readonly #stopped = new AbortController();
  readonly counts = { copied: 0, failed: 0, dropped: 0 };

  constructor(options: TaskQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#queue = new PQueue({ concurrency: options.concurrency });
  }

  /** Tasks that wait, and that are being done. */
  get size(): { waiting: number; running: number } {
    return { waiting: this.#queue.size, running: this.#queue.pending };
  }

  /** Those that failed first come first. */
  get failed(): FailedTask[] {
    return [...this.#failed.values()];
  }

  /** Tasks that are to be done, with the time since when. */
  *pending(): Generator<{ task: CopyTask; since: number }> {
    yield* this.#entries.values();
    yield* this.#failed.values();
  }

  /**
   * Of those of one priority what has waited longest goes first.
   * @param since when it first was to be copied, where that is known; epoch milliseconds
   * @returns whether it was taken
   */
  add(task: CopyTask, priority: number, since = this.#now()): boolean {
    const key = taskKey(task);
    const known = this.#entries.get(key);
    if (known) {
      known.rerun = known.running;
      // A hint that finds it waiting behind what a comparison found.
      if (!known.running && priority === PRIORITY.hint) this.#raisePriority(key, known.since);
      return true;
    }
    if (this.#entries.size >= MAX_WAITING || this.#stopped.signal.aborted) {
      this.counts.dropped += 1;
      return false;
    }
    const entry = { task, since: Math.min(since, this.#failed.get(key)?.since ?? since), running: false, rerun: false };
    this.#entries.set(key, entry);
    void this.#queue.add(() => this.#run(key, entry), { priority: queuePriority(priority, entry.since), id: key });
    return true;
  }

  #raisePriority(key: string, since: number): void {
    try {
      this.#queue.setPriority(key, queuePriority(PRIORITY.hint, since));
    } catch (error) {
      // It begins this very moment.
      if (!(error instanceof ReferenceError)) throw error;
    }
  }

  /** Takes up again what failed and may go by now. */
  retry(): void {
    const now = this.#now();
    // One that is being tried at this moment would be asked for anew, and then be tried twice without a pause.
    for (const { task, retryable, nextAt } of this.#failed.values())
      if (retryable && nextAt <= now && !this.#entries.has(taskKey(task))) this.add(task, PRIORITY.reconcile);
  }

  /** Takes up again whatever failed on a way, for good or not. @param before when it failed at the latest; epoch milliseconds */
  retryAll(copyRoute: CopyRoute, before: number): void {
    for (const { task, at } of this.failed)
      if (task.copyRoute === copyRoute && at < before && !this.#entries.has(taskKey(task)))
        this.add(task, PRIORITY.reconcile);
  }

  /** It was found that nothing has to be done. @param at when that was looked at; epoch milliseconds */
  markInSync(task: CopyTask, at: number): void {
    const key = taskKey(task);
    if ((this.#failed.get(key)?.at ?? at) < at) this.#failed.delete(key);
  }

  /** Resolves when fewer than so many wait. */
  async waitForRoom(below: number): Promise<void> {
    await this.#queue.onSizeLessThan(below);
  }

  async onIdle(): Promise<void> {
    await this.#queue.onIdle();
  }

  /** Ends what is under way, and begins nothing more. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('replication was stopped'));
    this.#queue.clear();
    this.#entries.clear();
    await this.#queue.onIdle();
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
        this.counts.copied += 1;
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
    const reason = error instanceof Error ? error.message : String(error);
    const nextAt = at + Math.min(RETRY_MS * 2 ** Math.min(tries - 1, 10), LONGEST_RETRY_MS);
    const failed = { task, since, at, tries, reason, retryable, nextAt };
    this.#failed.delete(key);
    this.#failed.set(key, failed);
    for (const oldest of this.#failed.keys()) {
      if (this.#failed.size <= MAX_FAILED) break;
      this.#failed.delete(oldest);
    }
    return failed;
  }
}

/** Priorities are whole numbers; the share of one by which the older of two goes first. */
function queuePriority(priority: number, since: number): number {
  return priority - since / Number.MAX_SAFE_INTEGER;
}

/** What is to be brought in step: a tag or a digest of one repository, on one way. */
export interface CopyTask {
  copyRoute: CopyRoute;
  repository: RepositoryPair;
  reference: string;
  /** `delete`: the source has deleted it, and the route has deletions follow. */
  kind: 'copy' | 'delete';
}

export function taskKey({ copyRoute, repository, reference, kind }: CopyTask): string {
  return [kind, copyRoute.name, repository.source, reference].join('\n');
}
