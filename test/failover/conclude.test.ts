import fc from 'fast-check';
import t from 'tap';
import type { Failure } from '../../src/failover/classify.ts';
import { type AttemptEnding, type ConcludeFacts, conclude, isAbsenceFinal } from '../../src/failover/conclude.ts';

const absent = (upstream: string): AttemptEnding => ({ upstream, outcome: 'absent' });

const NOW = Date.parse('2026-05-04T20:30:00Z');
const failed = (upstream: string, reason?: Failure): AttemptEnding => ({
  upstream,
  outcome: 'failed',
  ...(reason ? { reason } : {}),
});

/** @param set milliseconds by which the host's clock was set since the start */
function facts(down: Record<string, string> = {}, set = 0): ConcludeFacts {
  return {
    content: 'library/app:1.2',
    outage: (upstream) => {
      const since = down[upstream];
      return since === undefined ? undefined : { since: Date.parse(since), reason: 'probe timed out' };
    },
    now: { monotonic: NOW, wall: NOW + set },
  };
}

t.test('what the client is told', async (t) => {
  const today = facts({ harbor: '2026-05-04T18:23:01Z' });
  const rows: [string, AttemptEnding[], ConcludeFacts, number, string][] = [
    ['all absent', [absent('harbor'), absent('gcr')], facts(), 404, 'manifest unknown to registry'],
    ['one absent', [absent('gcr')], facts(), 404, 'manifest unknown to registry'],
    ['none was asked', [], facts(), 503, 'library/app:1.2 cannot be served now: no upstream could be asked; try again'],
    [
      'the clock was set back by an hour since',
      [failed('harbor', 'connect')],
      facts({ harbor: '2026-05-04T18:23:01Z' }, -3_600_000),
      503,
      'library/app:1.2 cannot be served now: harbor has been down since 17:23 UTC (probe timed out); try again',
    ],
    [
      'the clock was set forward by eight days since',
      [failed('harbor', 'connect')],
      facts({ harbor: '2026-05-04T18:23:01Z' }, 8 * 86_400_000),
      503,
      'library/app:1.2 cannot be served now: harbor has been down since 18:23 UTC (probe timed out); try again',
    ],
    [
      'failed for this client alone',
      [failed('harbor', 'status-5xx')],
      { ...facts(), confinedTo: 'harbor' },
      503,
      'library/app:1.2 cannot be served now: harbor answered with a server error; no other upstream may answer before harbor has shown the repository; try again',
    ],
    [
      'rate-limited everywhere, with words and a time',
      [
        {
          ...failed('harbor', 'rate-limited'),
          words: { code: 'QUOTA', message: 'pull rate limit' },
          retryAfterMs: 59_001,
        },
      ],
      facts(),
      429,
      'pull rate limit',
    ],
    [
      'rate-limited at both URLs of the only one',
      [
        { ...failed('harbor', 'rate-limited'), retryAfterMs: 90_000 },
        {
          ...failed('harbor', 'rate-limited'),
          words: { code: 'QUOTA', message: 'pull rate limit' },
          retryAfterMs: 60_000,
        },
      ],
      facts(),
      429,
      'pull rate limit',
    ],
    [
      'rate-limited by two',
      [{ ...failed('harbor', 'rate-limited'), words: { message: 'no more' } }, failed('gcr', 'rate-limited')],
      facts(),
      429,
      'library/app:1.2 cannot be served now: harbor is rate-limited; gcr is rate-limited; try again',
    ],
    [
      'rate-limited everywhere',
      [failed('harbor', 'rate-limited'), absent('gcr')],
      facts(),
      429,
      'gcr does not have library/app:1.2; harbor, which may, is rate-limited; try again',
    ],
    [
      'absent there, down here',
      [absent('gcr'), failed('harbor', 'connect')],
      today,
      503,
      'gcr does not have library/app:1.2; harbor, which may, has been down since 18:23 UTC (probe timed out); try again',
    ],
    [
      'absent at two, slow here',
      [absent('gcr'), absent('quay'), failed('harbor', 'first-byte')],
      facts(),
      503,
      'gcr and quay do not have library/app:1.2; harbor, which may, did not answer in time; try again',
    ],
    [
      'down for more than a day',
      [failed('harbor', 'connect')],
      facts({ harbor: '2026-05-02T18:23:01Z' }),
      503,
      'library/app:1.2 cannot be served now: harbor has been down since 2026-05-02 18:23 UTC (probe timed out); try again',
    ],
    [
      'failed without a reason',
      [failed('harbor')],
      facts(),
      503,
      'library/app:1.2 cannot be served now: harbor failed; try again',
    ],
    [
      'two URLs of one upstream for the same reason, one of the other',
      [failed('harbor', 'connect'), failed('harbor', 'connect'), failed('gcr', 'status-5xx')],
      facts(),
      503,
      'library/app:1.2 cannot be served now: harbor cannot be reached; gcr answered with a server error; try again',
    ],
    [
      'nothing was ever read from the one that decides',
      [failed('harbor', 'unproven'), absent('gcr')],
      { ...facts(), authority: 'harbor' },
      503,
      'gcr does not have library/app:1.2; harbor, which may, shows no content, so its storage may be missing; try again',
    ],
    [
      'nothing was ever read from any',
      [failed('harbor', 'unproven'), failed('gcr', 'unproven')],
      { ...facts(), authority: 'harbor' },
      503,
      'library/app:1.2 cannot be served now: harbor shows no content, so its storage may be missing; gcr shows no content, so its storage may be missing; try again',
    ],
    [
      'nothing was ever read from the only one',
      [failed('harbor', 'unproven'), failed('harbor', 'unproven')],
      { ...facts(), authority: 'harbor' },
      404,
      'manifest unknown to registry',
    ],
    [
      'the same where only content settles it',
      [failed('harbor', 'unproven')],
      { ...facts(), authority: 'harbor', soleCounts: false },
      503,
      'library/app:1.2 cannot be served now: harbor shows no content, so its storage may be missing; try again',
    ],
    [
      'the one that decides does not have it, and nothing was ever read from its fallback',
      [absent('harbor'), failed('gcr', 'unproven')],
      { ...facts(), authority: 'harbor' },
      404,
      'manifest unknown to registry',
    ],
    [
      'the same where each may have what the others lack',
      [absent('harbor'), failed('gcr', 'unproven')],
      facts(),
      503,
      'harbor does not have library/app:1.2; gcr, which may, shows no content, so its storage may be missing; try again',
    ],
    [
      'the only one was asked at two URLs, and one is down',
      [failed('harbor', 'unproven'), failed('harbor', 'connect')],
      facts(),
      503,
      'library/app:1.2 cannot be served now: harbor cannot be reached; try again',
    ],
  ];
  for (const [name, endings, told, status, message] of rows) {
    const error = conclude(endings, 'MANIFEST_UNKNOWN', told);
    t.equal(error.status, status, name);
    t.equal(error.message, message, name);
    const codes: Record<number, string> = { 404: 'MANIFEST_UNKNOWN', 429: 'TOOMANYREQUESTS' };
    t.equal(error.code, codes[status] ?? 'UNAVAILABLE', name);
    const [wait = '5'] = /^pull rate/.test(message) ? ['60'] : [];
    t.equal(error.headers['retry-after'], status === 404 ? undefined : wait, name);
    if (wait === '60') t.match(error.body(), /"code":"QUOTA"/, 'with its own code');
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
        const error = conclude(endings, code, facts());
        const all = endings.length > 0 && endings.every((one) => one.outcome === 'absent');
        return all
          ? error.status === 404 && error.code === code
          : error.status === 503 && 'retry-after' in error.headers;
      },
    ),
  );
});

t.test('when a 404 is the final answer', async (t) => {
  for (const confirmed of [true, false]) {
    for (const preferred of [true, false]) {
      t.equal(isAbsenceFinal({ confirmed, preferred }, 'stop'), confirmed && preferred);
      t.notOk(isAbsenceFinal({ confirmed, preferred }, 'next'));
    }
  }
});

t.test('an absence has the words of the first upstream that had some', async (t) => {
  const words = { code: 'NOT_FOUND', message: 'artifact library/app:1.2 not found' };
  const error = conclude([absent('gcr'), { ...absent('harbor'), words }], 'MANIFEST_UNKNOWN', facts());
  t.match(error, { status: 404, code: 'MANIFEST_UNKNOWN', message: words.message });
  t.strictSame(JSON.parse(error.body()).errors, [{ ...words, detail: {} }]);
  const bare = conclude([{ ...absent('harbor'), words: { message: 'gone' } }], 'BLOB_UNKNOWN', facts());
  t.match(JSON.parse(bare.body()).errors, [{ code: 'BLOB_UNKNOWN', message: 'gone' }]);
});
