import fc from 'fast-check';
import { REGISTRY_FAULTS, type RegistryFault } from './stateful-registry.ts';

/** `team/` is hidden from the user bob. */
export const REPOSITORIES = ['open/app', 'team/app'] as const;
export const TAGS = ['a', 'b', 'c'] as const;

export interface Place {
  repository: number;
  tag: number;
}

export type Hook = 'none' | 'once' | 'twice';

export type Step =
  | ({ do: 'push'; edge: number; old: boolean } & Place)
  | ({ do: 'pull'; edge: number; user: 'ann' | 'bob'; by: 'tag' | 'digest' | 'blob'; back: number } & Place)
  | ({ do: 'delete'; edge: number; by: 'tag' | 'digest' } & Place)
  /** Somebody changes the tag at the primary, past the edges. */
  | ({ do: 'change'; to: 'new' | 'old' | 'nothing'; hook: Hook; edge: number } & Place)
  /** The primary's own retention keeps one tag of a repository. */
  | { do: 'retention'; repository: number; keep: number; hook: Hook; edge: number }
  | { do: 'snapshot' }
  | { do: 'restore' }
  | { do: 'restart'; edges: readonly number[] }
  | { do: 'kill'; edge: number }
  | { do: 'start'; edge: number }
  | { do: 'fault'; where: 'primary' | 'fallback'; fault: RegistryFault }
  | { do: 'heal'; where: 'primary' | 'fallback' }
  /** The operator takes what the primary shows for right. */
  | { do: 'accept'; edge: number }
  | { do: 'connect'; connected: boolean }
  | { do: 'pass'; ms: number };

export interface PairSchedule {
  mode: 'open' | 'delegate';
  deletions: 'keep' | 'follow';
  staleTags: 'warn' | 'refuse';
  steps: Step[];
  /** Seed of what is random in the edges, such as the jitter of probes. */
  chance?: number;
}

const edge = fc.nat(1);
/** Most steps are about the same few tags. */
const place = {
  repository: fc.nat(REPOSITORIES.length - 1),
  tag: fc.constantFrom(0, 0, 0, 1, 1, 2),
};
const by = fc.constantFrom<'tag' | 'digest'>('tag', 'digest');
const hook = fc.constantFrom<Hook>('none', 'once', 'twice');
const where = fc.constantFrom<'primary' | 'fallback'>('primary', 'primary', 'primary', 'fallback');

const push = fc.record({ do: fc.constant('push' as const), edge, old: fc.constantFrom(false, false, true), ...place });
const pull = fc.record({
  do: fc.constant('pull' as const),
  edge,
  user: fc.constantFrom<'ann' | 'bob'>('ann', 'ann', 'ann', 'bob'),
  by: fc.constantFrom<'tag' | 'digest' | 'blob'>('tag', 'tag', 'tag', 'tag', 'digest', 'blob'),
  back: fc.nat(2),
  ...place,
});
const remove = fc.record({ do: fc.constant('delete' as const), edge, by, ...place });
const to = fc.constantFrom<'new' | 'old' | 'nothing'>('new', 'old', 'nothing');
const change = fc.record({ do: fc.constant('change' as const), to, hook, edge, ...place });
const retention = fc.record({
  do: fc.constant('retention' as const),
  repository: place.repository,
  keep: place.tag,
  hook,
  edge,
});
const snapshot = fc.constant({ do: 'snapshot' as const });
const restore = fc.constant({ do: 'restore' as const });
const restart = fc.record({ do: fc.constant('restart' as const), edges: fc.constantFrom([0], [1], [0, 1]) });
const kill = fc.record({ do: fc.constant('kill' as const), edge });
const start = fc.record({ do: fc.constant('start' as const), edge });
const fault = fc.record({ do: fc.constant('fault' as const), where, fault: fc.constantFrom(...REGISTRY_FAULTS) });
const heal = fc.record({ do: fc.constant('heal' as const), where });
const accept = fc.record({ do: fc.constant('accept' as const), edge });
const connect = fc.record({ do: fc.constant('connect' as const), connected: fc.constantFrom(true, true, false) });
const pass = fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(100, 1500, 4000, 12_000) });

const primaryFails = fault.map((one) => ({ ...one, where: 'primary' as const }));
const fallbackFails = fault.map((one) => ({ ...one, where: 'fallback' as const }));
const fallbackHeals = fc.constant({ do: 'heal' as const, where: 'fallback' as const });
const primaryHeals = fc.constant({ do: 'heal' as const, where: 'primary' as const });
/** Longer than an upstream stays down after it came back. */
const recovery = fc.constant({ do: 'pass' as const, ms: 8000 });
const pullTag = pull.map((one) => ({ ...one, by: 'tag' as const }));

/** What comes one after the other in the life of a registry. */
const PHRASES: readonly [weight: number, ...steps: fc.Arbitrary<Step>[]][] = [
  [6, push],
  [6, pull],
  [2, pull, pull],
  [3, push, pull],
  [3, push, pass, fault, pull, pull],
  [2, fault, pull, pass, pull],
  // The fallback is behind when the primary fails.
  [3, primaryHeals, recovery, fallbackFails, push, pullTag, fallbackHeals, primaryFails, pullTag, pullTag],
  [2, primaryHeals, recovery, fallbackFails, push, pass, fallbackHeals, primaryFails, pullTag, pass, pullTag],
  [1, primaryHeals, recovery, fallbackFails, change, pullTag, fallbackHeals, primaryFails, pullTag],
  [1, primaryHeals, recovery, fallbackFails, remove, fallbackHeals, primaryFails, pullTag],
  [1, primaryHeals, recovery, fallbackFails, push, kill, fallbackHeals, primaryFails, pullTag, start, pullTag],
  [2, heal],
  [2, heal, pass, pull],
  [2, remove, pull],
  [1, remove, fault, pull],
  [2, change, pull],
  [1, change, pass],
  [1, retention, pull],
  [1, snapshot],
  [1, restore, pull],
  [2, primaryHeals, recovery, snapshot, push, push, pass, restore, pull, pull],
  [1, snapshot, push, push, push, pass, kill, restore, pull, start, pass, pullTag, pullTag],
  [1, snapshot, push, push, restore, pullTag, push, pass, pullTag, pullTag],
  [1, snapshot, push, push, pass, restore, pass, pull, accept, pullTag, pass],
  [2, restart],
  [1, kill, pull],
  [1, push, kill, fault, pull],
  [1, start, pull],
  [1, connect],
  [4, pass],
];

/** Mostly, all steps of a phrase are about the same tag. */
function phrase(steps: readonly fc.Arbitrary<Step>[]): fc.Arbitrary<Step[]> {
  const one = fc.record({ same: fc.constantFrom(true, true, true, false), ...place });
  return fc
    .tuple(fc.tuple(...steps), one)
    .map(([each, { same, ...at }]) => each.map((step) => (same && 'tag' in step ? { ...step, ...at } : step)));
}

export const pairSchedules: fc.Arbitrary<PairSchedule> = fc.record({
  mode: fc.constantFrom('open', 'delegate'),
  deletions: fc.constantFrom('keep', 'follow'),
  staleTags: fc.constantFrom('warn', 'refuse'),
  steps: fc
    .array(fc.oneof(...PHRASES.map(([weight, ...steps]) => ({ weight, arbitrary: phrase(steps) }))), {
      minLength: 2,
      maxLength: 12,
      size: 'max',
    })
    .map((phrases) => phrases.flat()),
  chance: fc.nat(),
});
