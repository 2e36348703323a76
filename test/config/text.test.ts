import t from 'tap';
import { duration } from '../../src/config/text.ts';

const ACCEPTED: [text: string, ms: number][] = [
  ['500ms', 500],
  ['0ms', 0],
  ['2s', 2000],
  ['1.5s', 1500],
  ['1m', 60_000],
  ['24h', 86_400_000],
  ['24d', 2_073_600_000],
];

for (const [text, ms] of ACCEPTED)
  t.test(text, async (t) => {
    t.equal(duration('1s', 0).parse(text), ms);
    const timer = setTimeout(() => {}, ms);
    t.equal(Reflect.get(timer, '_idleTimeout'), Math.max(ms, 1), 'a timer can wait for so long');
    clearTimeout(timer);
  });

for (const text of [
  '',
  '5',
  '5 s',
  '-5s',
  '5S',
  's',
  '1e3ms',
  '1,5s',
  '5sec',
  '1h30m',
  '25d',
  '600h',
  '9'.repeat(400).concat('d'),
])
  t.test(`not ${text.slice(0, 20)}`, async (t) => {
    t.equal(duration('1s', 0).safeParse(text).success, false);
  });

t.test('not a number, and nothing below the minimum', async (t) => {
  t.equal(duration('1s').safeParse(5).success, false);
  t.equal(duration('1s', 100).safeParse('99ms').success, false);
  t.equal(duration('1s', 100).parse('100ms'), 100);
  t.equal(duration('1s', 100).parse(undefined), 1000, 'left out');
});
