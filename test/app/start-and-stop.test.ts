import t from 'tap';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

t.test('it starts before its upstreams: one without a name, one that is down', async (t) => {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  registry.seed('app', '1', { blobs: [10] });
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      nameless: { urls: ['http://nowhere.invalid'] },
      dead: { urls: ['http://127.0.0.1:1'] },
      well: { urls: [registry.url] },
    },
    routes: [
      { prefix: '', push: 'nameless', pull: [{ upstream: 'nameless' }, { upstream: 'dead' }, { upstream: 'well' }] },
    ],
  });
  t.match(edge.app.status(), {
    ready: true,
    upstreams: [{ state: 'down', reason: /dns/ }, { state: 'down', reason: /connect/ }, { state: 'up' }],
  });
  const reply = await edge.http1().ask('/v2/app/manifests/1');
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'well', warning: /nameless is not available/ } });
  const push = await edge.http1().ask('/v2/app/blobs/uploads/', { method: 'POST' });
  t.equal(push.status, 403);
  t.equal((await edge.admin('/readyz')).status, 200, 'an upstream that is down does not make the edge unready');
});

for (const version of ['http1', 'http2'] as const) {
  t.test(`a stop lets a transfer finish: ${version}`, async (t) => {
    const site = await startLabSite(t, { config: { drain: { announce: '300ms', timeout: '5s' } } });
    await site.primary.faults.on('slow', { bytesPerSecond: 200_000, kind: 'blob' });
    const transfer = site.edge[version]().ask(`/v2/library/app/blobs/${site.blob()}`);
    await until(() => site.primary.requests.some((one) => one.url.includes(site.blob())));
    const stopped = site.edge.app.stop();
    t.equal((await site.edge.admin('/readyz')).status, 503, '/readyz fails first');
    const announced = await site.edge.http1().ask('/v2/library/app/manifests/1');
    t.equal(announced.status, 200, 'while that is announced, clients are served');
    const reply = await transfer;
    t.ok(reply.complete);
    t.equal(reply.body.length, 300_000);
    await stopped;
    await t.rejects(site.edge.http1().ask('/v2/'), { code: 'ECONNREFUSED' });
  });
}

t.test('and cuts what takes too long, so that it does not pass as whole', async (t) => {
  const site = await startLabSite(t, { config: { drain: { announce: '0s', timeout: '200ms' } } });
  await site.primary.faults.on('slow', { bytesPerSecond: 20_000, kind: 'blob' });
  const transfer = site.edge.http1().ask(`/v2/library/app/blobs/${site.blob()}`);
  await until(() => site.primary.requests.some((one) => one.url.includes(site.blob())));
  await site.edge.app.stop();
  t.notOk((await transfer).complete);
});
