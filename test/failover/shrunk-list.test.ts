import t from 'tap';
import { hasShrunk } from '../../src/failover/shrunk-list.ts';

t.test('a list that lacks a tenth of the known repositories has shrunk', async (t) => {
  const rows: [known: number, missing: number, expected: boolean][] = [
    [0, 0, false],
    [96, 0, false],
    [96, 9, false],
    [96, 10, true],
    [96, 94, true],
    [3, 1, true],
  ];
  for (const [known, missing, expected] of rows) t.equal(hasShrunk(known, missing), expected, `${missing} of ${known}`);
});
