import t, { type Test } from 'tap';
import { configSchema } from '../../../src/config/schema.ts';
import { Breaker } from '../../../src/upstream/health/breaker.ts';
import { MockedTime } from '../../helpers/host-clock.ts';

const upstreamSchema = configSchema.shape.upstreams.valueType;
const rules = (changes = {}) => upstreamSchema.parse({ urls: ['http://x'], breaker: changes }).breaker;

/** Outcomes reach opossum in microtasks. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

async function feed(breaker: Breaker, ...verdicts: ('good' | 'bad' | 'late' | 'neutral')[]): Promise<void> {
  for (const verdict of verdicts) {
    breaker.admit()(verdict);
    await settled();
  }
}

let time: MockedTime;
/** Not for all tests of the process, because hooks at the root are for other files of the folder too. */
function mockTime(t: Test): void {
  time = new MockedTime(t);
}

t.test('five failures in a row open it, four do not', async (t) => {
  mockTime(t);
  const changes: string[] = [];
  const breaker = new Breaker(rules(), (state) => changes.push(state));
  await feed(breaker, 'bad', 'bad', 'bad', 'bad', 'good', 'bad', 'bad', 'bad', 'bad');
  t.equal(breaker.state, 'closed');
  await feed(breaker, 'bad');
  t.equal(breaker.state, 'open');
  t.same(changes, ['open']);
  breaker.dispose();
});

t.test('what is nobody’s fault counts neither way', async (t) => {
  mockTime(t);
  const breaker = new Breaker(rules(), () => undefined);
  await feed(breaker, 'bad', 'bad', 'bad', 'bad', 'neutral', 'bad');
  t.equal(breaker.state, 'open', 'a neutral outcome does not end the row');
  breaker.dispose();
});

t.test('over half of twenty in ten seconds opens it, half does not', async (t) => {
  mockTime(t);
  const half = new Breaker(rules(), () => undefined);
  for (let index = 0; index < 10; index += 1) await feed(half, 'bad', 'good');
  t.equal(half.state, 'closed');
  const more = new Breaker(rules(), () => undefined);
  await feed(more, 'good', 'good', 'bad', 'bad');
  for (let index = 0; index < 8; index += 1) await feed(more, 'good', 'bad');
  t.equal(more.state, 'closed', 'ten of twenty');
  await feed(more, 'bad');
  t.equal(more.state, 'open', 'eleven of twenty-one');
  half.dispose();
  more.dispose();
});

t.test(
  'the open time doubles with each failed trial, up to its maximum, and starts anew after a success',
  async (t) => {
    mockTime(t);
    const breaker = new Breaker(
      rules({ open: '5s', openMax: '20s' }),
      () => undefined,
      () => 0.5,
    );
    await feed(breaker, 'bad', 'bad', 'bad', 'bad', 'bad');
    for (const seconds of [5, 10, 20, 20]) {
      time.pass(seconds * 1000 - 1);
      t.equal(breaker.state, 'open', `open for ${seconds} s`);
      time.pass(1);
      t.equal(breaker.state, 'half-open');
      await feed(breaker, 'bad');
      t.equal(breaker.state, 'open', 'the trial failed');
    }
    time.pass(20_000);
    await feed(breaker, 'good', 'good');
    t.equal(breaker.state, 'closed');
    time.pass(11_000);
    await feed(breaker, 'bad', 'bad', 'bad', 'bad', 'bad');
    time.pass(5000);
    t.equal(breaker.state, 'half-open', 'five seconds again');
    breaker.dispose();
  },
);

t.test('one that is merely late is tried again soon, however often it was', async (t) => {
  mockTime(t);
  const trials: [verdict: 'bad' | 'late', seconds: number][] = [
    ['late', 10],
    ['late', 10],
    ['bad', 20],
    ['bad', 40],
    ['late', 10],
    ['bad', 20],
  ];
  const breaker = new Breaker(
    rules(),
    () => undefined,
    () => 0.5,
  );
  await feed(breaker, 'late', 'late', 'late', 'late', 'late');
  t.equal(breaker.state, 'open', 'five of them open it');
  time.pass(5000);
  for (const [verdict, seconds] of trials) {
    await feed(breaker, verdict);
    time.pass(seconds * 1000 - 1);
    t.equal(breaker.state, 'open', `${verdict}: open for ${seconds} s`);
    time.pass(1);
    t.equal(breaker.state, 'half-open');
  }
  breaker.dispose();

  const bounds: [config: Record<string, string>, seconds: number[]][] = [
    [{ open: '1s', openMax: '3s' }, [1, 2, 3, 3]],
    [{ open: '20s', openMax: '60s' }, [20, 20, 20]],
  ];
  for (const [config, all] of bounds) {
    const bounded = new Breaker(
      rules(config),
      () => undefined,
      () => 0.5,
    );
    await feed(bounded, 'late', 'late', 'late', 'late', 'late');
    for (const seconds of all) {
      time.pass(seconds * 1000 - 1);
      t.equal(bounded.state, 'open', `${JSON.stringify(config)}: open for ${seconds} s`);
      time.pass(1);
      t.equal(bounded.state, 'half-open');
      await feed(bounded, 'late');
    }
    bounded.dispose();
  }
});

t.test('half-open admits one trial at a time; a hung one is not waited for for ever', async (t) => {
  mockTime(t);
  const breaker = new Breaker(
    rules(),
    () => undefined,
    () => 0.5,
  );
  await feed(breaker, 'bad', 'bad', 'bad', 'bad', 'bad');
  time.pass(5000);
  t.ok(breaker.trialFree);
  const trial = breaker.admit();
  t.notOk(breaker.trialFree);
  time.pass(30_001);
  t.ok(breaker.trialFree);
  trial('neutral');
  t.equal(breaker.state, 'half-open', 'a trial that says nothing closes nothing');
  breaker.dispose();
});

t.test('a success that began before the trip does not close it', async (t) => {
  mockTime(t);
  const breaker = new Breaker(
    rules(),
    () => undefined,
    () => 0.5,
  );
  const early = breaker.admit();
  await feed(breaker, 'bad', 'bad', 'bad', 'bad', 'bad');
  time.pass(5000);
  early('good');
  await settled();
  t.equal(breaker.state, 'half-open');
  breaker.dispose();
});

t.test('failures that count together', async (t) => {
  mockTime(t);
  const breaker = new Breaker(rules(), () => undefined);
  breaker.admit()('bad', 4);
  await settled();
  t.equal(breaker.state, 'closed');
  breaker.admit()('bad', 3);
  await settled();
  t.equal(breaker.state, 'open');
  breaker.dispose();
});

t.test('a canary closes it', async (t) => {
  mockTime(t);
  const breaker = new Breaker(rules(), () => undefined);
  await feed(breaker, 'bad', 'bad', 'bad', 'bad', 'bad');
  breaker.recover();
  t.equal(breaker.state, 'closed');
  time.pass(60_000);
  t.equal(breaker.state, 'closed', 'and no timer opens half of it again');
  breaker.dispose();
});
