import t from 'tap';
import { RequestPace } from '../../../src/replication/registry/request-pace.ts';
import { RetryPolicy } from '../../../src/replication/registry/retry-policy.ts';

t.test('so many requests a second, in order, whoever sends them', async (t) => {
  const clock = { now: 1000 };
  const waits: number[] = [];
  const wait = async (ms: number) => {
    waits.push(ms);
  };
  const pace = new RequestPace(5, { now: () => clock.now, wait });
  const { signal } = new AbortController();
  for (let turn = 0; turn < 6; turn += 1) await pace.turn(signal);
  t.strictSame(waits, [200, 400, 600, 800, 1000], 'the first is sent at once');
  clock.now += 60_000;
  waits.length = 0;
  for (let turn = 0; turn < 2; turn += 1) await pace.turn(signal);
  t.strictSame(waits, [200], 'what was not used is not saved up');
});

t.test('each try of a request takes its turn, and a wait ends with the signal', async (t) => {
  let turns = 0;
  const pace = {
    turn: async () => {
      turns += 1;
    },
  } as unknown as RequestPace;
  const policy = new RetryPolicy({ wait: async () => {} }).paced(pace);
  await policy.run('app', new AbortController().signal, async () => {});
  t.equal(turns, 1);
  const slow = new RequestPace(1 / 60);
  const control = new AbortController();
  await slow.turn(control.signal);
  const waiting = slow.turn(control.signal);
  control.abort(new Error('stopped'));
  await t.rejects(waiting);
});
