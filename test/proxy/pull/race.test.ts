import t from 'tap';
import type { Attempt } from '../../../src/failover/plan.ts';
import { OciError } from '../../../src/oci/error.ts';
import { ClientGone } from '../../../src/proxy/exchange.ts';
import type { AttemptResult } from '../../../src/proxy/pull/attempt-result.ts';
import type { PullPlan } from '../../../src/proxy/pull/pull-plan.ts';
import { Race } from '../../../src/proxy/pull/race.ts';
import { isOver, RACE_TRANSITIONS, type RaceEvent, type RaceState } from '../../../src/proxy/pull/race-states.ts';
import { HeaderList } from '../../../src/upstream/header-list.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { libraryRoute, replica } from '../../failover/made-view.ts';

const EVENTS = Object.keys(RACE_TRANSITIONS.asking) as RaceEvent[];

t.test('each state has an answer to each event', async (t) => {
  for (const [state, row] of Object.entries(RACE_TRANSITIONS)) {
    t.strictSame(Object.keys(row), EVENTS, state);
    if (!isOver(state as RaceState)) continue;
    t.strictSame([...new Set(Object.values(row))], [state], `${state} is final`);
  }
});

type Result = AttemptResult & { discarded?: boolean };

function served(name: string): Result {
  const result: Result = {
    outcome: 'served',
    answer: { status: 200, headers: HeaderList.fromRaw([]), redirected: false, url: new URL(`https://${name}`) },
    body: Buffer.from(name),
    permit: {
      reportEnd: () => {
        result.discarded = true;
      },
    },
  };
  return result;
}

const failed: Result = { outcome: 'failed', reason: 'reset', detail: 'reset' };
const absent: Result = { outcome: 'absent', confirmed: true, forClient: false };

/** A race of attempts that end when the test says so. Answers of `provisional` upstreams count only if the others fail. */
function startRace(names: string[], { provisional = [] as string[], preferred = 'harbor', hiding = '' } = {}) {
  const asked = new Map<string, (result: Result) => void>();
  const gone = new AbortController();
  const attempts = names.map(
    (upstream): Attempt => ({
      upstream,
      url: `https://${upstream}`,
      repository: 'library/app',
      client: 'ann',
      candidate: { upstream, prefix: '', replicate: false },
      class: 'control',
      why: '',
    }),
  );
  // All are slow: the race asks each of them before it uses the reserve.
  const upstream = {
    config: { deadlines: { manifest: 5000, blob: 5000 }, hedge: { share: 0, floor: 4000 } },
    hedgeBudget: { earn: () => undefined, spend: () => false },
    replica: () => ({
      latency: { control: { p95: undefined } },
      view: () => replica('https://harbor', { slow: true }),
    }),
    view: () => ({ state: 'up', unhealthy: [] }),
    confirmCanary: async () => 'good',
  } as unknown as Upstream;
  const plan: PullPlan = {
    route: libraryRoute({
      pull: [preferred, ...names].map((name) => ({ upstream: name, prefix: '', replicate: false })),
    }),
    attempts,
    reading: () => ({}) as ReturnType<PullPlan['reading']>,
    content: 'library/app:1.2',
    absent: 'MANIFEST_UNKNOWN',
    provisional: ({ attempt }) => provisional.includes(attempt.upstream),
    hiding,
  };
  const scope = { gone: gone.signal, attempts: [], hedges: { started: 0, won: 0, refused: 0 }, elapsed: () => 0 };
  const attempt = (_: Upstream, { upstream: name }: Attempt) =>
    new Promise<AttemptResult>((resolve) => asked.set(name, resolve));
  const race = new Race(scope, { upstreams: new Map(names.map((name) => [name, upstream])) }, plan, attempt);
  const outcome = race.run().then(
    ({ attempt: { upstream: name } }) => `won by ${name}`,
    (error: unknown) =>
      error instanceof OciError ? `lost: ${error.status}` : error instanceof ClientGone ? 'lost: gone' : 'failed',
  );
  /** Ends the attempt at an upstream, and tells how the race stands then. */
  const end = async (name: string, result: Result): Promise<string> => {
    const resolve = asked.get(name);
    if (!resolve) throw new Error(`${name} was not asked`);
    resolve(result);
    return standing();
  };
  const standing = () =>
    new Promise<string>((resolve) => {
      void outcome.then(resolve);
      setImmediate(() => resolve(`asked ${[...asked.keys()].at(-1)}`));
    });
  return { end, standing, leave: () => gone.abort() };
}

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
