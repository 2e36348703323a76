import t from 'tap';
import type { FaultInput, FaultName } from '../../src/lab/fault.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';
import { copied, LIMIT_MS, POISONED, push, startSite } from './poisoned-site.ts';

interface Kind {
  name: string;
  at: 'primary' | 'fallback';
  fault: FaultName;
  input: FaultInput;
  /** Blobs of a poisoned image. Default: one of its own. */
  blobs?: (number: number) => (Buffer | number)[];
  /** What status says of a poisoned image; undefined: it is not known to fail yet. */
  reason?: RegExp;
}

const own = (number: number) => [Buffer.from(`poison ${number}`), 70_000 + number];
const path = /poison/;

const KINDS: Kind[] = [
  {
    name: 'the fallback answers its uploads with 500',
    at: 'fallback',
    fault: 'errors',
    input: { status: 500, path, kind: ['upload', 'manifest'] },
    reason: /500/,
  },
  {
    name: 'the fallback wants a pause of ten minutes for its repository',
    at: 'fallback',
    fault: 'rateLimited',
    input: { retryAfter: 600, path },
    reason: /429|rate-limited/,
  },
  { name: 'its uploads hang at the fallback', at: 'fallback', fault: 'frozen', input: { path } },
  {
    name: 'a blob that it shares with other images hangs at the fallback',
    at: 'fallback',
    fault: 'frozen',
    input: { path: /poison\d*\/blobs/ },
    blobs: () => [90_000],
  },
  {
    name: 'the primary answers its blobs with 500',
    at: 'primary',
    fault: 'errors',
    input: { status: 500, path, kind: ['blob'] },
    reason: /500/,
  },
  {
    name: 'the primary lacks its blobs',
    at: 'primary',
    fault: 'errors',
    input: { status: 404, path, kind: ['blob'] },
    reason: /404/,
  },
  { name: 'its blobs hang at the primary', at: 'primary', fault: 'storageHung', input: { path, kind: ['blob'] } },
  {
    name: 'its blobs stall in the middle',
    at: 'primary',
    fault: 'stall',
    input: { path, fraction: 0.5 },
    blobs: (number) => [300_000 + number],
  },
  {
    name: 'its blobs are corrupt at the primary',
    at: 'primary',
    fault: 'corrupt',
    input: { path },
    reason: /wrong bytes/,
  },
  {
    name: 'its blobs take minutes',
    at: 'primary',
    fault: 'slow',
    input: { path, bytesPerSecond: 2000 },
    blobs: (number) => [1_000_000 + number, 1_100_000 + number, 1_200_000 + number],
  },
  {
    name: 'four of them have 300 blobs that come slowly',
    at: 'primary',
    fault: 'delay',
    input: { path, ms: 200, kind: ['blob'] },
    blobs: (number) => Array.from({ length: number < 4 ? 300 : 10 }, (_, blob) => Buffer.from(`${number} ${blob}`)),
  },
  {
    name: 'four of them have 300 blobs that come at a slow rate',
    at: 'primary',
    fault: 'slow',
    input: { path, bytesPerSecond: 2500 },
    blobs: (number) =>
      Array.from({ length: number < 4 ? 300 : 10 }, (_, blob) => Buffer.from(`${number} ${blob}`.padEnd(1000, '.'))),
  },
];

for (const { name, at, fault, input, blobs = own, reason } of KINDS)
  t.test(`20 images wait, and a good push is on the fallback within 5 s: ${name}`, async (t) => {
    const site = await startSite(t);
    await site[at].faults.on(fault, input);
    for (let number = 0; number < POISONED; number += 1) await push(site, `poison${number}`, blobs(number));
    const digest = await push(site, 'good', [50_000, 90_000]);
    const ms = await copied(site, 'good', digest);
    t.comment(`${name}: ${Math.round(ms)} ms`);
    t.ok(ms < timeLimit(LIMIT_MS), `${Math.round(ms)} ms`);
    if (reason === undefined) return;
    const failures = () => site.edge.app.status().replication?.routes[0];
    await until(() => (failures()?.failing ?? 0) >= POISONED, {
      timeout: LIMIT_MS,
      what: () => `all of them to be reported: ${JSON.stringify(failures())}`,
    });
    t.match(failures()?.failures[0], { repository: /^poison/, reference: /^(v1|seeded)$/, reason });
  });

t.test('an image that failed is copied once it can be', async (t) => {
  const site = await startSite(t);
  await site.fallback.faults.on('errors', { status: 500, path });
  const digest = await push(site, 'poison', [1000]);
  const failures = () => site.edge.app.status().replication?.routes[0]?.failures ?? [];
  const [failure] = await until(() => failures().length > 0 && failures());
  t.match(failure, { tries: 1, passing: true });
  t.ok(Date.parse(failure?.nextTry ?? '') > Date.parse(failure?.since ?? ''));
  await site.fallback.faults.off();
  t.equal(await push(site, 'poison', [1000]), digest);
  await copied(site, 'poison', digest);
  await until(() => failures().length === 0);
});
