import t from 'tap';
import { goesOn, isLast, outlastsOthers, type Remainder } from '../../src/failover/overtime.ts';

const ALONE: Remainder = { hadPlace: true, queued: 0, others: 0, reserved: false };

t.test('whether an attempt goes on when its time is over', async (t) => {
  const cases: [says: string, remainder: Partial<Remainder>, last: boolean, on: boolean][] = [
    ['all others have failed, or there were none', {}, true, true],
    ['another one has not begun yet', { queued: 1 }, false, true],
    ['another one is under way', { others: 1 }, false, true],
    ['both', { queued: 2, others: 1 }, false, true],
    ['there is an answer in reserve', { reserved: true }, false, false],
    ['there is one, and others are left', { reserved: true, queued: 1, others: 1 }, false, false],
    ['it is the last one, and has waited for a place', { hadPlace: false }, true, true],
    ['it has waited for a place, and another one would begin', { hadPlace: false, queued: 1 }, false, false],
    ['it has waited for a place, and another one is under way', { hadPlace: false, others: 1 }, false, false],
    ['it has waited for a place, and there is an answer in reserve', { hadPlace: false, reserved: true }, false, false],
  ];
  for (const [says, given, last, on] of cases) {
    const remainder = { ...ALONE, ...given };
    t.equal(isLast(remainder), last, `last: ${says}`);
    t.equal(goesOn(remainder), on, says);
  }
});

t.test('which one goes on when the time of all is over', async (t) => {
  t.ok(outlastsOthers('good', 0));
  t.notOk(outlastsOthers('good', 1), 'an earlier one is under way');
  for (const canary of ['failing', 'none', undefined] as const)
    t.notOk(outlastsOthers(canary, 0), `its canary is not known to be good: ${canary}`);
});
