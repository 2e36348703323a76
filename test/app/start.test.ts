import t from 'tap';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { makeEdgeInProcess, PROBE, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { startLabSite } from '../helpers/lab-site.ts';
import { timeLimit } from '../helpers/time-limit.ts';

const MANIFEST = '/v2/library/app/manifests/1';

t.test('starts with upstreams that do not resolve, are down, or silent, and uses them when they come', async (t) => {
  const [late, good, frozen] = await Promise.all([startLabRegistry(), startLabRegistry(), startLabRegistry()]);
  t.teardown(() => Promise.all([late.close(), good.close(), frozen.close()]));
  for (const registry of [late, good]) registry.seed('library/app', '1', { blobs: [10] });
  await late.faults.on('down');
  await frozen.faults.on('frozen');
  const probe = { ...PROBE, timeout: '300ms' };
  const deadlines = { manifest: '500ms', connect: '500ms' };
  const upstream = (url: string) => ({ urls: [url], probe, deadlines });
  const began = performance.now();
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      unresolvable: upstream('https://registry.invalid'),
      late: upstream(late.url),
      frozen: upstream(frozen.url),
      good: upstream(good.url),
    },
    routes: [
      {
        prefix: '',
        push: 'late',
        pull: [{ upstream: 'unresolvable' }, { upstream: 'frozen' }, { upstream: 'late' }, { upstream: 'good' }],
      },
    ],
  });
  t.ok(performance.now() - began < timeLimit(10_000), 'without waiting for them for long');
  t.equal((await edge.admin('/readyz')).status, 200, 'ready, whatever its upstreams are');
  const reply = await edge.http1().ask(MANIFEST);
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'good', warning: /unresolvable/ } });
  const { attempts } = await edge.line(({ kind }) => kind === 'manifest');
  t.match(attempts, [{ upstream: 'good' }], 'at once: what is down is known to be');
  t.equal(attempts.length, 1);
  t.equal((await edge.http1().ask('/v2/team/new/blobs/uploads/', { method: 'POST' })).status, 403);
  await late.faults.off();
  await edge.pushes('late', true);
  t.equal((await edge.http1().ask('/v2/team/new/blobs/uploads/', { method: 'POST' })).status, 202);
  t.equal((await edge.http2().ask(MANIFEST)).headers['x-breakwater-upstream'], 'late', 'it takes its place');
});

t.test('all upstreams gone: it starts, and says so to clients', async (t) => {
  const site = await startLabSite(t);
  await Promise.all([site.primary.faults.on('down'), site.fallback.faults.on('down')]);
  const edge = await startEdgeInProcess(t, site.config);
  t.match(await edge.http1().ask(MANIFEST), { status: 503, headers: { 'retry-after': /\d/ } });
  t.equal((await edge.admin('/readyz')).status, 200);
});

t.test('a port that is taken fails the start and leaves nothing behind', async (t) => {
  const site = await startLabSite(t);
  const taken = { listen: { https: `127.0.0.1:${site.edge.port}`, admin: '127.0.0.1:0' } };
  const edge = await makeEdgeInProcess(t, { ...site.config, ...taken });
  await t.rejects(edge.app.start(), { code: 'EADDRINUSE' });
  await edge.app.stop();
  t.equal((await site.edge.http1().ask(MANIFEST)).status, 200, 'who has it goes on');
});
