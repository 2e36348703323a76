import { ok, strictEqual } from 'node:assert/strict';
import v8 from 'node:v8';
import vm from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import { type Listed, Roster } from '../../src/server/roster.ts';

t.test('it holds what a set would hold', async () => {
  const step = fc.record({ add: fc.boolean(), index: fc.nat(7) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const members = Array.from({ length: 8 }, (): Listed => ({ position: -1 }));
      const [roster, set] = [new Roster<Listed>(), new Set<Listed>()];
      for (const { add, index } of steps) {
        const member = members[index] as Listed;
        if (!add) strictEqual(roster.delete(member), set.delete(member));
        else if (!set.has(member)) {
          roster.add(member);
          set.add(member);
        }
      }
      strictEqual(roster.size, set.size);
      strictEqual([...roster].length, set.size);
      ok([...roster].every((member) => set.has(member)));
      strictEqual(new Set(roster).size, set.size);
    }),
  );
});

t.test('an entry that leaves during an iteration is still visited', async (t) => {
  const roster = new Roster<Listed>();
  for (let count = 0; count < 3; count += 1) roster.add({ position: -1 });
  let seen = 0;
  for (const member of roster) {
    roster.delete(member);
    seen += 1;
  }
  t.equal(seen, 3);
  t.equal(roster.size, 0);
});

t.test('entries that left are not kept', async (t) => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as (options?: { type: 'minor' }) => void;
  const roster = new Roster<Listed & { load: number[] }>();
  const present: (Listed & { load: number[] })[] = [];
  const pass = (count: number) => {
    for (let index = 0; index < count; index += 1) {
      const member = { position: -1, load: Array.from({ length: 100 }, () => index) };
      roster.add(member);
      present.push(member);
      if (present.length > 32) roster.delete(present.shift() as Listed & { load: number[] });
      if (index % 100 === 0) collect({ type: 'minor' });
    }
  };
  pass(1000);
  collect();
  const before = oldBytes();
  pass(10_000);
  // A set would keep nearly all of the ten thousand.
  t.ok(oldBytes() - before < 2_000_000, `the old generation grew by ${oldBytes() - before} bytes`);
});

function oldBytes(): number {
  return (
    v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? Number.NaN
  );
}
