import fc from 'fast-check';
import t from 'tap';
import type { CanaryState } from '../../../src/failover/view.ts';
import { propertyRuns } from '../../helpers/property-runs.ts';
import { absent, failed, type RaceOptions, type Result, served, startRace } from './made-race.ts';

// An attempt whose time is over goes on, because it may be the last one that may answer (rule 11). Nobody may get anything because of that
// but its own answer (rule 3).

t.test('the next attempt begins as if the one before it had failed', async (t) => {
  const race = startRace(['harbor', 'gcr', 'quay']);
  t.strictSame(await race.expire('harbor'), { goesOn: true, standing: 'asked gcr' });
  t.equal(race.limit('harbor')?.isLast(), false, 'quay has not been asked');
  t.equal(await race.end('gcr', failed), 'asked quay');
  t.strictSame(await race.expire('quay'), { goesOn: true, standing: 'asked quay' });
  t.equal(race.limit('harbor')?.outlastsOthers('good'), true, 'of two slow ones the first goes on');
  t.equal(race.limit('quay')?.outlastsOthers('good'), false);
  t.equal(await race.end('quay', failed), 'asked quay');
  t.equal(race.limit('harbor')?.isLast(), true);
  t.equal(await race.end('harbor', served('harbor')), 'won by harbor');
});

t.test('what another upstream answers after that counts at once', async (t) => {
  for (const result of [served('gcr'), { ...served('gcr'), outcome: 'refused' } as Result]) {
    const race = startRace(['harbor', 'gcr'], { provisional: [] });
    await race.expire('harbor');
    t.equal(await race.end('gcr', result), 'won by gcr');
  }
});

t.test('an answer in reserve ends all waits', async (t) => {
  const race = startRace(['harbor', 'gcr', 'quay'], { provisional: ['gcr'] });
  await race.expire('harbor');
  t.equal(await race.end('gcr', served('gcr')), 'asked quay');
  t.strictSame(await race.expire('quay'), { goesOn: false, standing: 'won by gcr' });
});

t.test('where nobody answers, the race is lost with the last one', async (t) => {
  const race = startRace(['harbor', 'gcr']);
  await race.expire('harbor');
  t.equal(await race.end('gcr', absent), 'asked gcr');
  t.equal(await race.end('harbor', failed), 'lost: 503');
});

t.test('an absence that comes late is one all the same', async (t) => {
  const race = startRace(['harbor', 'gcr']);
  await race.expire('harbor');
  await race.end('gcr', failed);
  t.equal(await race.end('harbor', absent), 'lost: 404');
});

t.test('an upstream that may be hiding the content makes way for its other URLs alone', async (t) => {
  const race = startRace(['harbor', 'gcr', 'harbor#2'], { hiding: 'harbor' });
  t.strictSame(await race.expire('harbor'), { goesOn: true, standing: 'asked harbor#2' });
  t.strictSame(await race.end('harbor#2', failed), 'asked harbor#2');
  t.equal(await race.end('harbor', served('harbor')), 'won by harbor');

  const late = startRace(['gcr', 'harbor'], { hiding: 'harbor' });
  t.equal(await late.end('gcr', served('gcr')), 'asked harbor', 'what another one has shown waits for it');
  t.strictSame(await late.expire('harbor'), { goesOn: true, standing: 'asked harbor' });
  t.equal(await late.end('harbor', absent), 'lost: 404');
});

t.test('in an outage it makes way as ever', async (t) => {
  const race = startRace(['harbor', 'gcr'], { hiding: 'harbor', canary: 'failing' });
  t.equal((await race.expire('harbor')).standing, 'asked gcr');
  t.equal(await race.end('gcr', served('gcr')), 'won by gcr');
});

t.test('a client that has waited for a place does not wait for more', async (t) => {
  const race = startRace(['harbor', 'gcr'], { hiding: 'harbor' });
  t.strictSame(await race.expire('harbor', false), { goesOn: false, standing: 'lost: 503' });
});

/** What an attempt does: it ends within its time, or its time is over, and it ends later. */
interface Step {
  /** Undefined: its time is over. */
  inTime: 'served' | 'absent' | 'failed' | 'saturated' | undefined;
  hadPlace: boolean;
  late: 'served' | 'absent' | 'failed';
}

const step = fc.record<Step>({
  inTime: fc.constantFrom(undefined, undefined, 'served', 'absent', 'failed', 'saturated'),
  hadPlace: fc.boolean(),
  late: fc.constantFrom('served', 'absent', 'failed'),
});

const schedule = fc.record({
  names: fc.constantFrom(
    ['harbor', 'gcr'],
    ['harbor', 'harbor#2', 'gcr'],
    ['harbor', 'gcr', 'harbor#2', 'quay'],
    ['gcr', 'harbor', 'quay'],
    ['gcr', 'quay', 'harbor'],
  ),
  steps: fc.array(step, { minLength: 4, maxLength: 4 }),
  provisional: fc.subarray(['gcr', 'quay']),
  hiding: fc.constantFrom('harbor', undefined),
  canary: fc.constantFrom<CanaryState>('good', 'good', 'failing'),
});

function resultOf(kind: NonNullable<Step['inTime']>, name: string): Result {
  if (kind === 'served') return served(name);
  if (kind === 'saturated') return { outcome: 'failed', reason: 'saturated', detail: '' };
  return kind === 'absent' ? absent : failed;
}

/** Attempts end one after the other in the order in which they began; those whose time is over end last. */
async function run(names: readonly string[], steps: readonly Step[], options: RaceOptions) {
  const race = startRace(names, options);
  const stepOf = (name: string) => steps[names.indexOf(name)] as Step;
  const overdue: string[] = [];
  let standing = await race.standing();
  for (const name of race.asked.keys()) {
    if (!standing.startsWith('asked')) break;
    const { inTime, hadPlace } = stepOf(name);
    if (inTime) standing = await race.end(name, resultOf(inTime, name));
    else {
      const expired = await race.expire(name, hadPlace);
      standing = expired.standing;
      if (expired.goesOn) overdue.push(name);
    }
  }
  const asked = [...race.asked.keys()];
  for (const name of overdue)
    if (standing.startsWith('asked')) standing = await race.end(name, resultOf(stepOf(name).late, name));
  return { standing, asked, overdue };
}

t.test('whatever the attempts do', async (t) => {
  const seen = { same: 0, better: 0 };
  await fc.assert(
    fc.asyncProperty(schedule, async ({ names, steps, provisional, hiding, canary }) => {
      const options: RaceOptions = { provisional, canary, ...(hiding && { hiding }) };
      const before = await run(names, steps, { ...options, overtime: false });
      const now = await run(names, steps, options);
      const says = `${JSON.stringify(before)}, with overtime ${JSON.stringify(now)}`;
      if (`${now.asked}` !== `${before.asked}`) throw new Error(`another attempt began: ${says}`);
      if (now.standing === before.standing) {
        seen.same += 1;
        return;
      }
      // Only where the client got an error may it get something else now: what an attempt whose time was over has answered.
      const answers = now.overdue.map((name) =>
        stepFor(names, steps, name).late === 'served' ? `won by ${name}` : '',
      );
      const isOwn = answers.includes(now.standing) || now.standing === 'lost: 404';
      if (before.standing !== 'lost: 503' || !isOwn) throw new Error(says);
      seen.better += 1;
    }),
    { numRuns: propertyRuns(3000) },
  );
  t.ok(seen.same > 0 && seen.better > 0, JSON.stringify(seen));
});

function stepFor(names: readonly string[], steps: readonly Step[], name: string): Step {
  return steps[names.indexOf(name)] as Step;
}
