import t from 'tap';
import { timeLimit } from '../helpers/time-limit.ts';
import { pair } from './pair.ts';
import type { PairSchedule, Place, Step } from './pair-schedule.ts';

const push = (edge: number, at: Place): Step => ({ do: 'push', edge, old: false, ...at });
const pull = (at: Place, by: 'tag' | 'blob' = 'tag', edge = 0): Step => ({
  do: 'pull',
  edge,
  user: 'ann',
  by,
  back: 0,
  ...at,
});
const pass = (ms: number): Step => ({ do: 'pass', ms });
const fails = (where: 'primary' | 'fallback', fault: 'cut' | 'hung' | 'errors'): Step => ({
  do: 'fault',
  where,
  fault,
});
const heals = (where: 'primary' | 'fallback'): Step => ({ do: 'heal', where });
const moved: Place = { repository: 0, tag: 0 };
const other: Place = { repository: 1, tag: 0 };
const added: Place = { repository: 0, tag: 2 };

/** Schedules that the random search has found, or that have the same cause. In each, a restored primary was once believed. */
const WAYS: Record<string, readonly Step[]> = {
  ...Object.fromEntries(
    (['cut', 'hung', 'errors'] as const).map((fault): [string, readonly Step[]] => [
      `the primary comes back (${fault}), and a pull is earlier than the probe that finds it up`,
      [
        { do: 'snapshot' },
        ...[push(0, moved), push(0, other), pass(4000), fails('primary', fault), pass(4000)],
        ...[{ do: 'restore' } as const, fails('fallback', 'cut'), heals('primary'), pull(moved)],
      ],
    ]),
  ),
  'a blob is asked for just after a look that found all well': [
    { do: 'snapshot' },
    ...[push(0, added), push(0, other), pass(4000), pull(other)],
    ...[{ do: 'restore' } as const, pull(added, 'blob')],
  ],
  'pushes that were made while a loss was known are lost by another restore': [
    ...[{ do: 'snapshot' } as const, push(0, added), push(0, added), pass(100)],
    ...[{ do: 'restore' } as const, pull(added), pass(8000)],
    ...[{ do: 'snapshot' } as const, push(0, added), push(0, added), pass(100)],
    ...[{ do: 'restore' } as const, pull(added)],
  ],
  // The edge takes the restored primary for right. What it then tells its peer must not end what that one knows.
  ...Object.fromEntries(
    [0, 1].map((edge): [string, readonly Step[]] => [
      `an edge started without its peer, and hears of the pushes only after the restore; pulls at edge ${edge}`,
      [
        ...[{ do: 'snapshot' } as const, push(0, other), push(0, moved), pass(4000), { do: 'kill', edge: 1 } as const],
        ...[
          { do: 'restore' } as const,
          { do: 'connect', connected: false } as const,
          { do: 'start', edge: 1 } as const,
        ],
        ...[pass(12_000), { do: 'connect', connected: true } as const, pass(4000)],
        ...[pull(moved, 'tag', edge), pull(other, 'tag', edge)],
      ],
    ]),
  ),
  ...Object.fromEntries(
    [0, 1].map((edge): [string, readonly Step[]] => [
      `one edge knows of a loss when its tag is pushed at the other one, and again there; pulls at edge ${edge}`,
      [
        ...[push(1, other), push(0, other), { do: 'restore' } as const, pull(other, 'tag', 1)],
        ...[push(0, other), { ...push(1, other), old: true } as Step, pass(12_000), { do: 'restore' } as const],
        pull(other, 'tag', edge),
      ],
    ]),
  ),
  'an edge that cannot hear its peer takes what is lost for deleted': [
    ...[{ do: 'snapshot' } as const, push(0, added), push(0, other), pass(4000)],
    ...[{ do: 'connect', connected: false } as const, { do: 'restart', edges: [1] } as const],
    ...[{ do: 'restore' } as const, pass(12_000), { do: 'connect', connected: true } as const, pass(4000), pull(added)],
  ],
  'the same edge had heard its peer before': [
    ...[{ do: 'connect', connected: false } as const, pass(12_000), { do: 'snapshot' } as const],
    ...[push(0, added), push(0, other), pass(4000), { do: 'restore' } as const, pass(12_000)],
    ...[{ do: 'connect', connected: true } as const, pass(4000), pull(added)],
  ],
};

for (const [what, steps] of Object.entries(WAYS))
  t.test(what, { timeout: timeLimit(60_000) }, async (t) => {
    const schedule: PairSchedule = { mode: 'delegate', deletions: 'follow', staleTags: 'warn', steps: [...steps] };
    t.strictSame(await pair.run(t, [schedule]), [undefined]);
  });

t.test('a tag is pushed again as it was, just after a restore', { timeout: timeLimit(60_000) }, async (t) => {
  const again: Step = { ...push(1, other), old: true } as Step;
  const hidden: Step = { ...pull(other), user: 'bob' } as Step;
  const steps = [push(1, other), push(0, other), { do: 'restore' } as const, hidden, again, pull(other)];
  for (const staleTags of ['warn', 'refuse'] as const)
    t.strictSame(await pair.run(t, [{ mode: 'open', deletions: 'follow', staleTags, steps }]), [undefined], staleTags);
});
