import t from 'tap';
import { PeerHearing } from '../../src/peer/peer-hearing.ts';
import { UpstreamError } from '../../src/upstream/upstream-error.ts';

const ENDED = new UpstreamError('short', 'other side closed');
const RESET = new UpstreamError('reset', 'read ECONNRESET');
const REFUSED = new UpstreamError('connect', 'x', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }));
const SILENT = new UpstreamError('first-byte', 'it did not answer in time');
const EDGE = '10.0.0.2:443';

/** An edge that is in step with process `a` of another one until 1000. */
function inStep(): PeerHearing {
  const hearing = new PeerHearing(EDGE);
  hearing.answered('a', 900);
  hearing.heard(1000);
  return hearing;
}

t.test('before the first answer everything may have been missed', async (t) => {
  const hearing = new PeerHearing(EDGE);
  const never = [{ peer: EDGE, since: undefined, until: undefined }];
  t.strictSame(hearing.unheard, never);
  hearing.answered('a', 900);
  t.strictSame(hearing.unheard, never, 'while it is still telling');
  hearing.heard(1000);
  t.strictSame(hearing.unheard, []);
  hearing.behind();
  t.equal(hearing.unheard.length, 1, 'this edge has dropped something, and reads it again');
});

t.test('a process that ends while a question stands has told everything, whatever follows', async (t) => {
  const hearing = inStep();
  hearing.progress.onStands();
  hearing.lost(ENDED, 5000);
  t.ok(hearing.hasJustEnded, 'it is asked again at once');
  for (const error of [REFUSED, SILENT, ENDED]) {
    t.strictSame(hearing.unheard, []);
    hearing.lost(error, 6000);
  }
  hearing.answered('b', 7000);
  t.strictSame(hearing.unheard, [{ peer: EDGE, since: undefined, until: undefined }], 'the next one has told nothing');
  hearing.heard(7000);
  t.strictSame(hearing.unheard, []);
});

t.test('a process that ends after it had news for this edge may have replied unheard', async (t) => {
  for (const first of [ENDED, RESET]) {
    const hearing = inStep();
    hearing.progress.onStands();
    hearing.progress.onNews();
    hearing.lost(first, 1050);
    t.ok(hearing.hasJustEnded);
    t.strictSame(hearing.unheard, [{ peer: EDGE, since: 1000, until: undefined }], 'until it is known to be gone');
    hearing.lost(REFUSED, 1150);
    t.notOk(hearing.hasJustEnded);
    t.strictSame(hearing.unheard, [{ peer: EDGE, since: 1000, until: 1150 }]);
    hearing.lost(REFUSED, 9000);
    hearing.lost(SILENT, 9500);
    t.strictSame(hearing.unheard, [{ peer: EDGE, since: 1000, until: 1150 }], 'it was gone at the first refusal');
    hearing.answered('b', 10_000);
    hearing.heard(10_000);
    t.strictSame(
      hearing.unheard,
      [{ peer: EDGE, since: 1000, until: 1150 }],
      'the next process does not know it either',
    );
  }
});

t.test('gone within the time for which it waits', async (t) => {
  const hearing = inStep();
  hearing.lost(ENDED, 1050);
  hearing.lost(REFUSED, 1090);
  t.strictSame(hearing.unheard, []);
});

t.test('a silent peer may still acknowledge pushes, until it answers again and tells them', async (t) => {
  const hearing = inStep();
  hearing.progress.onStands();
  hearing.lost(SILENT, 5000);
  t.notOk(hearing.hasJustEnded);
  t.strictSame(hearing.unheard, [{ peer: EDGE, since: 1000, until: undefined }]);
  hearing.lost(undefined, 6000);
  t.strictSame(hearing.unheard, [{ peer: EDGE, since: 1000, until: undefined }], 'no edge of this site answers there');
  hearing.answered('a', 8000);
  t.equal(hearing.unheard.length, 1, 'it is still telling');
  hearing.heard(8000);
  t.strictSame(hearing.unheard, []);
  hearing.lost(SILENT, 9000);
  hearing.answered('b', 9900);
  hearing.heard(9900);
  t.strictSame(hearing.unheard, [{ peer: EDGE, since: 8000, until: 9900 }], 'it was started again meanwhile');
});

t.test('an error of this edge itself says nothing about the other one', async (t) => {
  const hearing = inStep();
  hearing.lost(new TypeError('a bug'), 1010);
  t.strictSame(hearing.unheard, [{ peer: EDGE, since: 1000, until: undefined }]);
});

t.test('a process that says that it ends has told everything', async (t) => {
  const hearing = inStep();
  hearing.heard(2000, true);
  for (const error of [RESET, SILENT, REFUSED]) {
    hearing.lost(error, 9000);
    t.strictSame(hearing.unheard, []);
  }
});
