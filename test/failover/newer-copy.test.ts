import t from 'tap';
import {
  type CopyTimes,
  type DifferingCopy,
  type KnownTagState,
  mayReplaceCopy,
  newerByTime,
  newerTag,
} from '../../src/failover/newer-copy.ts';

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

t.test('which side of a tag is newer, by the ledger, else by the times', async (t) => {
  /** Newest first, an hour apart; the newest was confirmed at ten hours. `-`: deleted. */
  const statesOf = (text: string): KnownTagState[] =>
    [...text].map((one, index) => ({ digest: one === '-' ? null : one, confirmedAt: (10 - index) * HOUR }));
  const [copyNewer, primaryNewer] = [
    { primary: 2 * HOUR, copy: 4 * HOUR },
    { primary: 4 * HOUR, copy: 2 * HOUR },
  ];
  const overtaken = { primary: 10 * HOUR + 60_000, copy: HOUR };
  const cases: [states: string, copy: string, primary: string | null, CopyTimes, newer: string, by: string][] = [
    ['CP', 'C', 'P', primaryNewer, 'copy', 'ledger'],
    ['XCP', 'C', 'P', primaryNewer, 'copy', 'ledger'],
    ['PC', 'C', 'P', copyNewer, 'primary', 'ledger'],
    // The primary lacks the tag.
    ['C', 'C', null, NOTHING, 'copy', 'ledger'],
    ['XC', 'C', null, NOTHING, 'copy', 'ledger'],
    ['-C', 'C', null, copyNewer, 'primary', 'ledger'],
    ['C-', 'C', null, NOTHING, 'copy', 'ledger'],
    ['', 'C', null, copyNewer, 'copy', 'time'],
    ['', 'C', null, primaryNewer, 'primary', 'time'],
    ['', 'C', null, NOTHING, 'unknown', 'nothing'],
    // The primary shows what the ledger never saw.
    ['C', 'C', 'P', NOTHING, 'copy', 'ledger'],
    ['C', 'C', 'P', primaryNewer, 'copy', 'ledger'],
    ['C', 'C', 'P', overtaken, 'primary', 'time'],
    ['XC', 'C', 'P', copyNewer, 'copy', 'time'],
    // The ledger never saw the copy.
    ['P', 'C', 'P', copyNewer, 'copy', 'time'],
    ['P', 'C', 'P', NOTHING, 'unknown', 'nothing'],
    ['', 'C', 'P', primaryNewer, 'primary', 'time'],
  ];
  for (const [states, copyDigest, primaryDigest, times, newer, by] of cases)
    t.strictSame(
      newerTag({ states: statesOf(states), copyDigest, primaryDigest, times }),
      { newer, by },
      `${states} ${copyDigest} ${primaryDigest}`,
    );
});
