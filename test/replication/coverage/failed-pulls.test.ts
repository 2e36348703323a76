import t from 'tap';
import { FailedPulls } from '../../../src/replication/coverage/failed-pulls.ts';

t.test('a client gets a quarter of the room, and there is room again for what is no gap any more', async (t) => {
  const clock = { now: 0 };
  const gaps = new Set<string>();
  const pulls = new FailedPulls({
    isGap: (repository, reference) => gaps.has(`${repository}:${reference}`),
    max: 8,
    now: () => clock.now,
  });
  const take = (client: string, tag: string) => {
    const isTaken = pulls.take(client, 'app', tag);
    if (isTaken) gaps.add(`app:${tag}`);
    return isTaken;
  };
  t.ok(take('a', '1'));
  t.notOk(take('a', '1'), 'it is a gap already');
  t.ok(take('a', '2'));
  t.notOk(take('a', '3'), 'its share is used up');
  for (const client of ['b', 'c', 'd']) for (const tag of ['x', 'y']) t.ok(take(client, client + tag), client);
  t.notOk(take('e', '1'), 'there is no room');
  gaps.delete('app:1');
  t.notOk(take('a', '3'), 'the others were looked at a moment ago');
  clock.now += 10_000;
  t.ok(take('a', '3'));
  t.notOk(take('a', '4'));
  gaps.clear();
  clock.now += 10_000;
  t.ok(take('e', '1'));
});
