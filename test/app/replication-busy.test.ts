import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { CLOUD, clientRequests, INNER, startLabSite } from '../helpers/lab-site.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

/** Milliseconds for which the fallback has too much to do; a minute by `BUSY_MS=60000`. */
const BUSY_MS = Number(process.env.BUSY_MS ?? 3000);

t.test(
  'a fallback that asks to be left alone is left alone, caught up with, and no pull is the worse for it',
  async (t) => {
    const site = await startLabSite(t, {
      route: {
        pull: [
          { upstream: 'harbor', prefix: INNER },
          { upstream: 'gcr', prefix: CLOUD, replicate: true },
        ],
      },
    });
    await until(() => /compared the two upstreams/.test(site.edge.log), { what: () => 'the first comparison' });
    const names = ['one', 'two', 'three'];
    const digests = names.map((name) => site.primary.seed(`${INNER}${name}`, '1', { blobs: [100_000] }).digest);
    const client = site.edge.http1();
    await site.fallback.faults.on('rateLimited', { retryAfter: 1 });
    await site.fallback.faults.on('errors', { status: 503, every: 2 });
    site.fallback.forget();
    await site.edge.reload({ ...site.config, replication: { every: '2s' } });
    const began = performance.now();
    const slow: number[] = [];
    while (performance.now() - began < BUSY_MS) {
      const reply = await client.ask('/v2/library/app/manifests/1');
      t.equal(reply.status, 200);
      t.equal(reply.headers['x-breakwater-upstream'], 'harbor');
      slow.push(reply.headersAfter);
      await delay(50);
    }
    const took = performance.now() - began;
    const asked = clientRequests(site.fallback).length;
    t.ok(asked <= (took / 1000) * 8, `${asked} requests of copies in ${took} ms, each told to wait a second`);
    const median = slow.toSorted((a, b) => a - b)[Math.floor(slow.length / 2)] ?? Number.POSITIVE_INFINITY;
    t.ok(median < timeLimit(500), `pulls are as fast as before: ${median} ms`);
    await site.fallback.faults.off('rateLimited');
    await site.fallback.faults.off('errors');
    const there = () => names.map((name) => site.fallback.store.repository(`${CLOUD}${name}`).tags.get('1'));
    await until(() => there().join() === digests.join(), { timeout: 60_000, what: () => `${there()}` });
  },
);
