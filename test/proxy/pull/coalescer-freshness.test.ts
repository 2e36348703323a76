import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { PROBE } from '../../helpers/edge-in-process.ts';
import type { Reply } from '../../helpers/http1-client.ts';
import { INNER, startLabSite } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { lineFor, serveRight, startPacedSite, status } from './paced-upstream.ts';

// Answers to requests by tag that are given again while they are fresh, and which are not.

const BY_TAG = '/v2/app/manifests/1';
/** Milliseconds for which a read takes further clients. */
const JOIN_MS = 250;
const FRESH = { memory: 0, tagFreshness: '10s' };

t.test('a failure is shared, and not kept', async (t) => {
  const site = await startPacedSite(t, { all: { breaker: { consecutive: 100 } }, config: { manifests: FRESH } });
  const all = [site.harbor, site.gcr, site.quay];
  for (const upstream of all) Object.assign(upstream, { pace: 50, answer: status(500) });
  const session = site.edge.http2();
  await session.ask('/v2/');
  const began = performance.now();
  const replies = await Promise.all(Array.from({ length: 20 }, () => session.ask(BY_TAG)));
  t.ok(replies.every((reply) => reply.status === 503 && reply.headers['retry-after'] !== undefined));
  t.equal(new Set(replies.map(({ headers }) => headers['x-request-id'])).size, 20);
  // Usually one or two; a machine that takes longer to bring them all begins further reads.
  const reads = 2 + Math.floor((performance.now() - began) / JOIN_MS);
  for (const { asked } of all) t.ok(asked <= reads, `${asked} requests, at most ${reads}`);
  t.match(await lineFor(site.edge, replies[19] as Reply), { outcome: 'failed', attempts: [{ outcome: 'failed' }] });
  for (const upstream of all) upstream.answer = serveRight;
  t.match(await site.edge.http1().ask(BY_TAG), { status: 200 }, 'the next one is asked anew');
});

t.test('a tag that is fresh is not asked for', async (t) => {
  const site = await startPacedSite(t, { config: { manifests: { memory: 0, tagFreshness: `${timeLimit(1000)}ms` } } });
  const client = site.edge.http1();
  await client.ask(BY_TAG);
  const reply = await client.ask(BY_TAG);
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
  t.match(await lineFor(site.edge, reply), { memory: true, attempts: [] });
  t.equal(site.harbor.asked, 1);
  await sleep(timeLimit(1100));
  await client.ask(BY_TAG);
  t.equal(site.harbor.asked, 2, 'once it is not, it is');
  await client.ask('/v2/app/manifests/1', { method: 'HEAD' });
  t.equal(site.harbor.asked, 3, 'a HEAD is another question');
});

t.test('a refusal is never fresh', async (t) => {
  const forward = { credentials: 'forward', probe: PROBE };
  const site = await startPacedSite(t, { harbor: forward, config: { manifests: FRESH } });
  site.harbor.answer = status(401, { 'www-authenticate': 'Basic realm="harbor"' });
  const client = site.edge.http1();
  t.match(await client.ask(BY_TAG), { status: 401 });
  site.harbor.answer = serveRight;
  t.match(await client.ask(BY_TAG), { status: 200 });
});

t.test('a HEAD that shows that a tag has moved ends freshness', async (t) => {
  const site = await startLabSite(t, { config: { manifests: { tagFreshness: '1h' } } });
  const client = site.edge.http1();
  const read = async (method: string) =>
    (await client.ask('/v2/library/app/manifests/1', { method })).headers['docker-content-digest'];
  t.equal(await read('GET'), site.image.digest);
  const { digest } = site.primary.seed(`${INNER}library/app`, '1', { blobs: [123] });
  t.equal(await read('HEAD'), digest);
  t.equal(await read('GET'), digest, 'the tag does not go back');
});

t.test('a write through the edge ends freshness', async (t) => {
  const config = { manifests: { tagFreshness: '1h' } };
  const site = await startLabSite(t, { config });
  const client = site.edge.http1();
  const path = '/v2/library/app/manifests/1';
  const digestOf = ({ headers }: Reply) => headers['docker-content-digest'];
  const old = digestOf(await client.ask(path));
  const newer = site.primary.seed(`${INNER}library/app`, '2', { blobs: [10] });
  t.equal(digestOf(await client.ask(path)), old);
  const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
  t.match(await client.ask(path, { method: 'PUT', body: newer.manifest, headers }), { status: 201 });
  t.equal(digestOf(await client.ask(path)), newer.digest, 'a push');
  t.match(await client.ask(path, { method: 'DELETE' }), { status: 202 });
  t.match(await client.ask(path), { status: 404 }, 'the deletion of a tag');
  const two = '/v2/library/app/manifests/2';
  t.equal(digestOf(await client.ask(two)), newer.digest);
  t.match(await client.ask(`/v2/library/app/manifests/${newer.digest}`, { method: 'DELETE' }), { status: 202 });
  t.match(await client.ask(two), { status: 404 }, 'the deletion of what it is at');
});
