import t from 'tap';
import { Cells } from '../../../src/status/metrics/cells.ts';

t.test('has one cell for the same values, and another for any others', async (t) => {
  const cells = new Cells((labels) => ({ labels }));
  const one = cells.at('a', 'b');
  t.equal(cells.at('a', 'b'), one);
  t.not(cells.at('b', 'a'), one);
  t.not(cells.at('a', 'b', 'c'), one);
  t.not(cells.at('a'), one);
  t.not(cells.at('ab'), one);
  t.not(cells.at('a\nb'), one, 'whatever stands in a value');
});

t.test('tells of them in the order in which they came up', async (t) => {
  const cells = new Cells(() => ({ count: 0 }));
  cells.at('a', 'b').count += 1;
  cells.at('c').count += 2;
  cells.at('a', 'b').count += 4;
  cells.at('a');
  t.same(
    [...cells],
    [
      [['a', 'b'], { count: 5 }],
      [['c'], { count: 2 }],
      [['a'], { count: 0 }],
    ],
  );
  t.same([...new Cells(() => 0)], []);
});
