import t from 'tap';
import { readByteRate } from '../../../src/cli/sync/options.ts';

const ROWS: [string, number | undefined][] = [
  ['500000', 500_000],
  ['20MB', 20_000_000],
  ['20 mb/s', 20_000_000],
  ['1.5GiB', 1_610_612_736],
  ['500k', 500_000],
  ['64KiB/s', 65_536],
  ['100b', 100],
  ['0', undefined],
  ['', undefined],
  ['fast', undefined],
  ['-5', undefined],
  ['5i', undefined],
  ['1e9', undefined],
  ['10 Mbit', undefined],
  ['999999999999999TB', undefined],
];

t.test('bytes a second', async (t) => {
  for (const [text, bytes] of ROWS) t.equal(readByteRate(text), bytes, text);
});
