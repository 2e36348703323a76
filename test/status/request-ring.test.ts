import t from 'tap';
import type { RequestRecord } from '../../src/proxy/request-record.ts';
import { RequestRing } from '../../src/status/request-ring.ts';
import { pullRecord } from './snapshot/views.ts';

t.test('the last requests are found by id, whole', async (t) => {
  const ring = new RequestRing(3);
  const records = ['1', '2', '3', '4', '5'].map((id) => pullRecord({ id, user: `user-${id}`, startedAt: Number(id) }));
  for (const record of records) ring.record(record);
  t.strictSame([ring.find('1'), ring.find('2')], [undefined, undefined], 'older ones have made room');
  for (const record of records.slice(2)) t.strictSame(ring.find(record.id), record);
  t.equal(ring.find('6'), undefined);
  t.equal(ring.oldest?.id, '3');
  t.equal(new RequestRing(3).oldest, undefined);
});

t.test('whatever a request brings, its record has a bound', async (t) => {
  const long = 'ä\u0000"'.repeat(3000);
  const attempt = {
    upstream: long,
    url: long,
    class: 'data',
    outcome: 'failed',
    reason: 'reset',
    detail: long,
  } as const;
  const splice = { from: long, to: long, reason: 'stall', at: 1, ms: 2 } as const;
  const many: Partial<RequestRecord> = {
    attempts: Array.from({ length: 1000 }, (_, ms) => ({ ...attempt, ms })),
    splices: Array.from({ length: 1000 }, () => splice),
  };
  const cases: Partial<RequestRecord>[] = [
    { detail: long },
    many,
    {
      ...many,
      ...texts('\u0001'.repeat(3000)),
      tag: { verdict: 'stale', action: 'warned', text: '\u0001'.repeat(3000) },
    },
    { ...many, ...texts(long), tag: { verdict: 'stale', action: 'warned', text: long } },
  ];
  for (const [index, over] of cases.entries()) {
    const ring = new RequestRing(2);
    ring.record(pullRecord({ id: 'a', ...over }));
    ring.record(pullRecord({ id: 'b' }));
    const story = ring.find('a');
    t.match(story, { id: 'a', status: 200, outcome: 'fallback', isShortened: true }, `case ${index}`);
    t.strictSame(ring.find('b'), pullRecord({ id: 'b' }), 'and leaves the next one whole');
  }
});

/** Every field of a record that holds a text from elsewhere. */
function texts(text: string): Partial<RequestRecord> {
  const names = { repository: text, reference: text, route: text, upstream: text, preferred: text };
  const who = { method: text, client: text, user: text, tried: text, granted: text, agent: text, trace: text };
  return { ...names, ...who, code: text, detail: text };
}

t.test('a record that is too long keeps its beginning, its end and its names', async (t) => {
  const ring = new RequestRing(1);
  const attempts = Array.from({ length: 40 }, (_, ms) => ({
    ...pullRecord().attempts[0],
    ms,
  })) as RequestRecord['attempts'];
  ring.record(pullRecord({ id: 'a', attempts, detail: 'd'.repeat(4000) }));
  const story = ring.find('a');
  t.match(story, { repository: 'library/app', attempts: { length: 8 }, detail: /^d{200,}…$/, isShortened: true });
  t.equal(story?.attempts.at(-1)?.ms, 39);
});
