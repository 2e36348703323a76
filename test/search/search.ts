import type fc from 'fast-check';
import type { Owner } from '../helpers/temporary-folder.ts';

/** A random search for schedules that break a rule. */
export interface Search<S> {
  /** What holds for every schedule. */
  says: string;
  schedules: fc.Arbitrary<S>;
  /** Schedules that are run at the same time. */
  batch: number;
  /** Runs schedules. Resolves with what was wrong with each; undefined: nothing. */
  run(owner: Owner, schedules: readonly S[]): Promise<(string | undefined)[]>;
}

/** Cleans up as a test does: last said, first done. */
export class Cleanup implements Owner {
  readonly #said: (() => unknown)[] = [];

  teardown(clean: () => unknown): void {
    this.#said.push(clean);
  }

  async run(): Promise<void> {
    for (const clean of this.#said.splice(0).toReversed()) await clean();
  }
}

/** How often a schedule must break the rule: on a busy machine an answer may be late for no reason of the edge's. */
const CONFIRMATIONS = 5;

/**
 * Runs schedules, each bad one again by itself.
 * @returns the schedules that broke the rule each time, with what was wrong
 */
export async function searchBatch<S>(
  search: Search<S>,
  schedules: readonly S[],
): Promise<{ schedule: S; wrong: string }[]> {
  const first = await runCleanly(search, schedules);
  const bad: { schedule: S; wrong: string }[] = [];
  for (const [index, schedule] of schedules.entries()) {
    const wrong = first[index] === undefined ? undefined : await confirmed(search, schedule);
    if (wrong !== undefined) bad.push({ schedule, wrong });
  }
  return bad;
}

/** What is wrong with the schedule each time that it is run; undefined: nothing. */
export async function confirmed<S>(search: Search<S>, schedule: S): Promise<string | undefined> {
  let wrong: string | undefined;
  for (let time = 0; time < CONFIRMATIONS; time += 1) {
    [wrong] = await runCleanly(search, [schedule]);
    if (wrong === undefined) return undefined;
  }
  return wrong;
}

async function runCleanly<S>(search: Search<S>, schedules: readonly S[]): Promise<(string | undefined)[]> {
  const cleanup = new Cleanup();
  try {
    return await search.run(cleanup, schedules);
  } finally {
    await cleanup.run();
  }
}
