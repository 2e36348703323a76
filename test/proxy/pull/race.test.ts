import t from 'tap';
import { isOver, RACE_TRANSITIONS, type RaceEvent, type RaceState } from '../../../src/proxy/pull/race-states.ts';
import { absent, failed, served, startRace } from './made-race.ts';

const EVENTS = Object.keys(RACE_TRANSITIONS.asking) as RaceEvent[];

t.test('each state has an answer to each event', async (t) => {
  for (const [state, row] of Object.entries(RACE_TRANSITIONS)) {
    t.strictSame(Object.keys(row), EVENTS, state);
    if (!isOver(state as RaceState)) continue;
    t.strictSame([...new Set(Object.values(row))], [state], `${state} is final`);
  }
});

/** Brings a race of three to the state `reserved`: gcr has answered, and harbor is asked before that counts. */
async function reserved(others: string[] = [], provisional: string[] = ['gcr'], hiding = '') {
  const race = startRace(['gcr', 'harbor', ...others], { provisional, hiding });
  const reserve = served('gcr');
  const standing = await race.end('gcr', reserve);
  if (standing !== 'asked harbor') throw new Error(standing);
  return { race, reserve };
}

/** What a race does in each state at each event. */
const WALK: Record<string, () => Promise<[string, string]>> = {
  'asking good': async () => [await startRace(['harbor', 'gcr']).end('harbor', served('harbor')), 'won by harbor'],
  'asking provisional': async () => [
    await startRace(['gcr', 'harbor'], { provisional: ['gcr'] }).end('gcr', served('gcr')),
    'asked harbor',
  ],
  'asking unserved': async () => [await startRace(['harbor', 'gcr']).end('harbor', failed), 'asked gcr'],
  'asking absent': async () => [await startRace(['harbor', 'gcr']).end('harbor', absent), 'lost: 404'],
  'asking confined': async () => [
    await startRace(['harbor', 'gcr'], { hiding: 'harbor' }).end('harbor', failed),
    'lost: 503',
  ],
  'asking exhausted': async () => [await startRace(['harbor']).end('harbor', failed), 'lost: 503'],
  'asking aborted': async () => {
    const race = startRace(['harbor', 'gcr']);
    race.leave();
    return [await race.standing(), 'lost: gone'];
  },
  'reserved good': async () => {
    const { race, reserve } = await reserved();
    const standing = await race.end('harbor', served('harbor'));
    return [`${standing}, reserve ${reserve.discarded ? 'discarded' : 'kept'}`, 'won by harbor, reserve discarded'];
  },
  'reserved provisional': async () => {
    const { race } = await reserved(['other'], ['gcr', 'harbor']);
    return [await race.end('harbor', served('harbor')), 'asked other'];
  },
  'reserved unserved': async () => {
    const { race } = await reserved(['other']);
    return [await race.end('harbor', failed), 'asked other'];
  },
  'reserved absent': async () => {
    const { race, reserve } = await reserved();
    const standing = await race.end('harbor', absent);
    return [`${standing}, reserve ${reserve.discarded ? 'discarded' : 'kept'}`, 'lost: 404, reserve discarded'];
  },
  'reserved confined': async () => {
    const { race, reserve } = await reserved(['other'], ['gcr'], 'harbor');
    const standing = await race.end('harbor', failed);
    return [`${standing}, reserve ${reserve.discarded ? 'discarded' : 'kept'}`, 'lost: 503, reserve discarded'];
  },
  'reserved exhausted': async () => {
    const { race, reserve } = await reserved();
    const standing = await race.end('harbor', failed);
    return [`${standing}, reserve ${reserve.discarded ? 'discarded' : 'kept'}`, 'won by gcr, reserve kept'];
  },
  'reserved aborted': async () => {
    const { race, reserve } = await reserved();
    race.leave();
    return [`${await race.standing()}, ${reserve.discarded ? 'discarded' : 'kept'}`, 'lost: gone, discarded'];
  },
};

t.test('a race walks through the table', async (t) => {
  const open = (['asking', 'reserved'] as const).flatMap((state) => EVENTS.map((event) => `${state} ${event}`));
  t.strictSame(Object.keys(WALK), open, 'every transition is walked');
  for (const [transition, walk] of Object.entries(WALK)) {
    const [standing, expected] = await walk();
    t.equal(standing, expected, transition);
  }
});
