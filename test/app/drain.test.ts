import t from 'tap';
import { startLabSite } from '../helpers/lab-site.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

for (const version of ['http1', 'http2'] as const) {
  t.test(`a stop lets a transfer finish: ${version}`, async (t) => {
    const site = await startLabSite(t, {
      config: { drain: { announce: `${timeLimit(1000)}ms`, timeout: `${timeLimit(5000)}ms` } },
    });
    await site.primary.faults.on('slow', { bytesPerSecond: 200_000, kind: 'blob' });
    const transfer = site.edge[version]().ask(`/v2/library/app/blobs/${site.blob()}`);
    await until(() => site.primary.requests.some((one) => one.url.includes(site.blob())));
    const stopped = site.edge.app.stop();
    const [ready, announced] = await Promise.all([
      site.edge.admin('/readyz'),
      site.edge.http1().ask('/v2/library/app/manifests/1'),
    ]);
    t.equal(ready.status, 503, '/readyz fails first');
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
  // It may be cut before its head is out.
  const complete = transfer.then(
    (reply) => reply.complete,
    () => false,
  );
  await until(() => site.primary.requests.some((one) => one.url.includes(site.blob())));
  await site.edge.app.stop();
  t.notOk(await complete);
});
