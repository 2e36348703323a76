import fc from 'fast-check';
import t from 'tap';
import { type Blame, blame } from '../../src/digest/copy-integrity.ts';

const NO_BLAME: Blame = { verified: [], corrupt: [], unverified: [] };

t.test('whom a digest clears and whom it blames', async (t) => {
  const rows: [string, contributors: string[], verifiedBefore: string[], right: boolean, Partial<Blame>][] = [
    ['right, one', ['a'], [], true, { verified: ['a'] }],
    ['right, one that was verified', ['a'], ['a'], true, { verified: ['a'] }],
    ['right, two: nobody was read whole', ['a', 'b'], [], true, {}],
    ['right, two, one verified', ['a', 'b'], ['a'], true, {}],
    ['right, nobody', [], [], true, {}],
    ['wrong, one', ['a'], [], false, { corrupt: ['a'] }],
    ['wrong, one that was verified: it became corrupt since', ['a'], ['a'], false, { corrupt: ['a'] }],
    ['wrong, two', ['a', 'b'], [], false, { corrupt: ['a', 'b'] }],
    ['wrong, two, one verified', ['a', 'b'], ['a'], false, { corrupt: ['b'], unverified: ['a'] }],
    ['wrong, two, both verified', ['a', 'b'], ['a', 'b'], false, { corrupt: ['a', 'b'] }],
    ['wrong, three, two verified', ['a', 'b', 'c'], ['a', 'c'], false, { corrupt: ['b'], unverified: ['a', 'c'] }],
    ['wrong, and another is verified', ['a'], ['b'], false, { corrupt: ['a'] }],
    ['wrong, nobody', [], [], false, {}],
  ];
  for (const [name, contributors, before, right, expected] of rows)
    t.same(
      blame(contributors, (upstream) => before.includes(upstream), right),
      { ...NO_BLAME, ...expected },
      name,
    );
});

t.test('wrong bytes always mark a copy as suspect, and only copies that contributed', async (t) => {
  const names = fc.uniqueArray(fc.constantFrom<string>('a', 'b', 'c', 'd'));
  fc.assert(
    fc.property(names, names, fc.boolean(), (contributors, before, right) => {
      const { verified, corrupt, unverified } = blame(contributors, (upstream) => before.includes(upstream), right);
      const touched = [...verified, ...corrupt, ...unverified];
      return (
        touched.every((upstream) => contributors.includes(upstream)) &&
        new Set(touched).size === touched.length &&
        (right ? corrupt.length + unverified.length === 0 : touched.length === contributors.length) &&
        (right || contributors.length === 0 || corrupt.length > 0)
      );
    }),
  );
  t.pass('for all');
});
