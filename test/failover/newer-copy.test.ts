import t from 'tap';
import { type CopyTimes, type DifferingCopy, mayReplaceCopy, newerByTime } from '../../src/failover/newer-copy.ts';

const HOUR = 3_600_000;
const NOTHING: CopyTimes = { primary: undefined, copy: undefined };

t.test('which side is newer by the times that registries tell', async (t) => {
  const cases: [primary: number | undefined, copy: number | undefined, newer: string][] = [
    [2 * HOUR, HOUR, 'primary'],
    [HOUR, 2 * HOUR, 'copy'],
    [HOUR, undefined, 'unknown'],
    [undefined, HOUR, 'unknown'],
    [undefined, undefined, 'unknown'],
    // Two clocks differ, and a copy takes a while.
    [HOUR, HOUR, 'unknown'],
    [HOUR, HOUR + 59_999, 'unknown'],
    [HOUR + 59_999, HOUR, 'unknown'],
    [HOUR, HOUR + 60_000, 'copy'],
    [HOUR + 60_000, HOUR, 'primary'],
  ];
  for (const [primary, copy, newer] of cases) t.equal(newerByTime({ primary, copy }), newer, `${primary} ${copy}`);
});

t.test('which tags of the fallback may be replaced', async (t) => {
  const [primaryNewer, copyNewer] = [
    { primary: 2 * HOUR, copy: HOUR },
    { primary: HOUR, copy: 2 * HOUR },
  ];
  const cases: [name: string, DifferingCopy, 'replace' | 'wait'][] = [
    ['known as older', { verdict: 'stale', times: copyNewer, primaryHasCopy: false }, 'replace'],
    ['the last known state', { verdict: 'current', times: copyNewer, primaryHasCopy: false }, 'replace'],
    ['a later push on the primary', { verdict: 'unrecorded', times: primaryNewer, primaryHasCopy: false }, 'replace'],
    ['a later copy', { verdict: 'unrecorded', times: copyNewer, primaryHasCopy: true }, 'wait'],
    ['a later copy, never seen', { verdict: 'unknown', times: copyNewer, primaryHasCopy: undefined }, 'wait'],
    ['still on the primary', { verdict: 'unknown', times: NOTHING, primaryHasCopy: true }, 'replace'],
    ['not on the primary', { verdict: 'unknown', times: NOTHING, primaryHasCopy: false }, 'wait'],
    ['no answer', { verdict: 'unrecorded', times: NOTHING, primaryHasCopy: undefined }, 'wait'],
  ];
  for (const [name, copy, expected] of cases) t.equal(mayReplaceCopy(copy), expected, name);
});
