/**
 * Why a task waits. `fresh`: a push or a hook told of it. `backlog`: a comparison found it. `failed`: its last try failed.
 */
export type Lane = 'fresh' | 'backlog' | 'failed';

export interface WaitingTask {
  lane: Lane;
  repository: string;
  /** When it was first due; monotonic milliseconds. */
  since: number;
}

const NO_TASKS: readonly never[] = [];

/** Tasks that wait: in each lane the repositories take turns, and in each repository the oldest task goes first. */
export class WaitingTasks<T extends WaitingTask> {
  /** By repository; the repository whose turn is next comes first. */
  readonly #lanes: Record<Lane, Map<string, T[]>> = { fresh: new Map(), backlog: new Map(), failed: new Map() };
  readonly #sizes: Record<Lane, number> = { fresh: 0, backlog: 0, failed: 0 };

  get size(): number {
    return this.#sizes.fresh + this.#sizes.backlog + this.#sizes.failed;
  }

  sizeOf(lane: Lane): number {
    return this.#sizes[lane];
  }

  add(task: T): void {
    const lane = this.#lanes[task.lane];
    const own = lane.get(task.repository) ?? [];
    const at = own.findLastIndex(({ since }) => since <= task.since) + 1;
    own.splice(at, 0, task);
    lane.set(task.repository, own);
    this.#sizes[task.lane] += 1;
  }

  /** Removes a task, if it waits. */
  remove(task: T): void {
    const lane = this.#lanes[task.lane];
    const own = lane.get(task.repository) ?? [];
    const at = own.indexOf(task);
    if (at < 0) return;
    own.splice(at, 1);
    if (own.length === 0) lane.delete(task.repository);
    this.#sizes[task.lane] -= 1;
  }

  /** Removes and returns the next task of a lane. @param mayStart leaves out repositories */
  take(from: Lane, mayStart: (repository: string) => boolean): T | undefined {
    const lane = this.#lanes[from];
    for (const [repository, own] of lane) {
      if (!mayStart(repository)) continue;
      const task = own.shift();
      lane.delete(repository);
      if (own.length > 0) lane.set(repository, own);
      this.#sizes[from] -= 1;
      return task;
    }
    return undefined;
  }

  /** The newest task of the repository that has the most; undefined: no repository has more than the given one. */
  surplusBeside(repository: string): T | undefined {
    const lists = Object.values(this.#lanes).flatMap((lane) => [...lane]);
    const own = lists.filter(([name]) => name === repository).map(([, tasks]) => tasks.length);
    const most = Math.max(0, ...own);
    const [, longest] = lists.reduce<[string, readonly T[]]>(
      (one, other) => (other[1].length > one[1].length ? other : one),
      ['', NO_TASKS],
    );
    return longest.length > most ? longest.at(-1) : undefined;
  }

  clear(): void {
    for (const lane of ['fresh', 'backlog', 'failed'] as const) {
      this.#lanes[lane].clear();
      this.#sizes[lane] = 0;
    }
  }
}
