import t from 'tap';
import { sha256, startLabSite } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';

t.test('a repaired copy serves again without a request for it', async (t) => {
  const site = await startLabSite(t, { config: { verifyAgain: '100ms' } });
  const blob = `/v2/library/app/blobs/${site.blob()}`;
  const client = site.edge.http1();
  await site.primary.faults.on('corrupt', { kind: 'blob', path: 'library/app' });
  t.match(await client.ask(blob), { status: 200, complete: false }, 'wrong bytes never end as a whole response');
  const good = await client.ask(blob);
  t.match(good, { status: 200, complete: true, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.equal(sha256(good.body), site.blob());

  const reads = () =>
    site.primary.requests.filter(
      ({ method, url, status }) => method === 'GET' && url.endsWith(site.blob()) && status === 200,
    ).length;
  const before = reads();
  await until(() => reads() > before, { what: () => 'the edge to read it again' });
  t.match(await client.ask(blob), { headers: { 'x-breakwater-upstream': 'gcr' } }, 'it is still corrupt');

  await site.primary.faults.off();
  await until(async () => (await client.ask(blob)).headers['x-breakwater-upstream'] === 'harbor', {
    what: () => 'the mended copy to serve',
  });
  t.match(site.edge.log, /has the right bytes again/);
});
