import fc from 'fast-check';
import t from 'tap';
import { ChangeLog } from '../../src/peer/change-log.ts';

t.test('tells what changed since, each thing once, at its last place', async (t) => {
  const log = new ChangeLog(() => true);
  t.strictSame(log.since(0, 10), { keys: [], next: 0 });
  for (const key of ['a', 'b', 'a', 'c']) log.record(key);
  t.strictSame(log.since(0, 10), { keys: ['b', 'a', 'c'], next: 4 });
  t.strictSame(log.since(2, 10), { keys: ['a', 'c'], next: 4 });
  t.strictSame(log.since(4, 10), { keys: [], next: 4 });
  t.strictSame(log.since(0, 2), { keys: ['b', 'a'], next: 3 });
  t.strictSame(log.since(99, 2), { keys: [], next: 4 }, 'a version that never was');
});

t.test('property: whoever asks in pages has heard of all that is there', async () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('note' as const), key: fc.integer({ min: 0, max: 40 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), key: fc.integer({ min: 0, max: 40 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('ask' as const), max: fc.integer({ min: 1, max: 5 }) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const there = new Map<string, number>();
      const log = new ChangeLog((key) => there.has(key));
      const heard = new Map<string, number>();
      let from = 0;
      let count = 0;
      const ask = (max: number) => {
        const { keys, next } = log.since(from, max);
        if (keys.length > max || next < from || next > log.head) throw new Error('beyond its bounds');
        for (const key of keys) {
          const value = there.get(key);
          if (value !== undefined) heard.set(key, value);
        }
        from = next;
      };
      for (const one of steps) {
        if (one.do === 'ask') ask(one.max);
        else if (one.do === 'lose') there.delete(String(one.key));
        else {
          count += 1;
          there.set(String(one.key), count);
          log.record(String(one.key));
        }
      }
      while (from < log.head) ask(3);
      for (const [key, value] of there) if (heard.get(key) !== value) throw new Error(`${key} was not told`);
    }),
  );
});

t.test('does not grow with what happened, only with what is there', async (t) => {
  const there = new Set<string>();
  const log = new ChangeLog((key) => there.has(key));
  for (let round = 0; round < 20_000; round += 1) {
    there.add(String(round));
    there.delete(String(round - 10));
    log.record(String(round));
    log.record('always');
  }
  there.add('always');
  const { keys } = log.since(0, 100_000);
  t.ok(keys.length < 2500, `${keys.length} keys`);
  t.equal(keys.at(-1), 'always');
  t.equal(log.since(0, 1).keys.length, 1);
});
