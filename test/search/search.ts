import type fc from 'fast-check';
import { Cleanup } from '../helpers/cleanup.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { shrinkSteps } from './shrink.ts';

/** A random search for schedules that break a rule. */
export interface Search<S> {
  /** What holds for every schedule. */
  says: string;
  schedules: fc.Arbitrary<S>;
  /** Schedules that are run at the same time. */
  batch: number;
  /** Runs schedules. Resolves with what was wrong with each; undefined: nothing. What is before a colon names the rule. */
  run(owner: Owner, schedules: readonly S[]): Promise<(string | undefined)[]>;
  /** The steps of a schedule: a find needs only some of them. */
  steps(schedule: S): readonly unknown[];
  withSteps(schedule: S, steps: readonly unknown[]): S;
}

export interface Find<S> {
  schedule: S;
  wrong: string;
}

/** How often a schedule must break the rule: on a busy machine an answer may be late for no reason of the edge's. */
const CONFIRMATIONS = 5;

/**
 * Runs schedules, each bad one again by itself.
 * @param onUnsteady called with what broke the rule at first, and not each time
 * @returns the schedules that broke the rule each time, with as few steps as possible, and what was wrong
 */
export async function searchBatch<S>(
  search: Search<S>,
  schedules: readonly S[],
  onUnsteady: (find: Find<S>) => void = () => undefined,
): Promise<Find<S>[]> {
  const first = await runCleanly(search, schedules);
  const finds: Find<S>[] = [];
  for (const [index, schedule] of schedules.entries()) {
    const once = first[index];
    if (once === undefined) continue;
    const wrong = await confirmed(search, schedule);
    if (wrong === undefined) onUnsteady({ schedule, wrong: once });
    else finds.push(await shrunk(search, schedule, wrong));
  }
  return finds;
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

async function shrunk<S>(search: Search<S>, schedule: S, wrong: string): Promise<Find<S>> {
  const isWrong = async (steps: readonly unknown[]) => {
    const [found] = await runCleanly(search, [search.withSteps(schedule, steps)]);
    return found !== undefined && ruleOf(found) === ruleOf(wrong);
  };
  const smaller = search.withSteps(schedule, await shrinkSteps(search.steps(schedule), isWrong));
  const still = await confirmed(search, smaller);
  return still === undefined ? { schedule, wrong } : { schedule: smaller, wrong: still };
}

function ruleOf(wrong: string): string {
  return wrong.split(':')[0] ?? '';
}

async function runCleanly<S>(search: Search<S>, schedules: readonly S[]): Promise<(string | undefined)[]> {
  const cleanup = new Cleanup();
  try {
    return await search.run(cleanup, schedules);
  } finally {
    await cleanup.run();
  }
}
