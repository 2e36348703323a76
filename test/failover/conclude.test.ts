import fc from 'fast-check';
import t from 'tap';
import { type AttemptEnding, conclude, isAbsenceFinal } from '../../src/failover/conclude.ts';

const absent = (upstream: string): AttemptEnding => ({ upstream, outcome: 'absent' });

t.test('what the client is told', async (t) => {
  const rows: [string, AttemptEnding[], number, string][] = [
    ['all absent', [absent('harbor'), absent('gcr')], 404, 'manifest unknown to registry'],
    ['one absent', [absent('gcr')], 404, 'manifest unknown to registry'],
    ['nobody was asked', [], 503, 'no upstream could answer; try again'],
    [
      'absent there, failed here',
      [absent('gcr'), { upstream: 'harbor', outcome: 'failed', reason: 'first-byte' }],
      503,
      'no upstream could answer (harbor: first-byte); try again',
    ],
    [
      'failed without a reason',
      [{ upstream: 'harbor', outcome: 'failed' }],
      503,
      'no upstream could answer (harbor: failed); try again',
    ],
    [
      'two URLs of one upstream for the same reason',
      [
        { upstream: 'harbor', outcome: 'failed', reason: 'connect' },
        { upstream: 'harbor', outcome: 'failed', reason: 'connect' },
        { upstream: 'gcr', outcome: 'failed', reason: 'dns' },
      ],
      503,
      'no upstream could answer (harbor: connect; gcr: dns); try again',
    ],
  ];
  for (const [name, endings, status, message] of rows) {
    const error = conclude(endings, 'MANIFEST_UNKNOWN');
    t.equal(error.status, status, name);
    t.equal(error.message, message, name);
    t.equal(error.code, status === 404 ? 'MANIFEST_UNKNOWN' : 'UNAVAILABLE', name);
    t.equal(error.headers['retry-after'], status === 404 ? undefined : '5', name);
  }
});

t.test('property: 404 exactly if somebody was asked and everybody said absent (rule 4)', async () => {
  const ending = fc.record({
    upstream: fc.constantFrom('a', 'b', 'c'),
    outcome: fc.constantFrom('absent' as const, 'failed' as const),
    reason: fc.constantFrom('connect' as const, 'canary' as const, 'digest' as const),
  });
  fc.assert(
    fc.property(
      fc.array(ending, { maxLength: 6 }),
      fc.constantFrom('BLOB_UNKNOWN' as const, 'NAME_UNKNOWN' as const),
      (endings, code) => {
        const error = conclude(endings, code);
        const all = endings.length > 0 && endings.every((one) => one.outcome === 'absent');
        return all
          ? error.status === 404 && error.code === code
          : error.status === 503 && 'retry-after' in error.headers;
      },
    ),
  );
});

t.test('when an absence ends the search', async (t) => {
  for (const confirmed of [true, false]) {
    for (const preferred of [true, false]) {
      t.equal(isAbsenceFinal({ confirmed, preferred }, 'stop'), confirmed && preferred);
      t.notOk(isAbsenceFinal({ confirmed, preferred }, 'next'));
    }
  }
});
