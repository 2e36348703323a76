import type { Pair } from './pair.ts';
import { type Done, type Loop, recoveredAfter } from './traffic.ts';

/** One event of the pair, what it must reach, and what a run measured. */
export interface Row {
  event: string;
  must: string;
  measured: string;
  /** What must hold, and whether it does. */
  checks: { what: string; ok: boolean }[];
}

export interface PairEvent {
  key: string;
  /** What runs it: events of one group share a pair. */
  group: string;
  run: (pair: Pair) => Promise<Row[]>;
}

/** Milliseconds as the tables have them. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function noneFailed(what: string, loop: Loop): Row['checks'][number] {
  return { what: `${what}: ${outcomeOf(loop)}`, ok: loop.done.length > 0 && loop.failed.length === 0 };
}

export function outcomeOf(loop: Loop): string {
  const said = [...new Set(loop.failed.map(({ error }) => error?.slice(0, 200)))].slice(0, 3);
  return `${loop.failed.length} of ${loop.done.length} failed ${said.join(' | ')}`;
}

export function slowestOf(done: readonly Done[]): number {
  return Math.max(...done.map(({ began, ended }) => ended - began));
}

/** Pulls succeed again within a time. */
export function recovered(loop: Loop, moment: number, limit: number): Row['checks'][number] & { after: number } {
  const after = recoveredAfter(loop, moment);
  return {
    after,
    what: `pulls succeed again after ${Math.round(after)} ms (limit ${limit}); ${outcomeOf(loop)}`,
    ok: after < limit,
  };
}
