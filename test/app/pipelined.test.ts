import t from 'tap';
import { startLabSite } from '../helpers/lab-site.ts';
import { RawConnection } from '../helpers/raw-connection.ts';
import { until } from '../helpers/until.ts';

t.test('pipelined requests whose client left are over, and hold neither a reload nor a stop', async (t) => {
  const site = await startLabSite(t, { harbor: { deadlines: { blob: '30s' }, hedge: { floor: '30s' } } });
  const { edge, primary } = site;
  await primary.faults.on('slow', { bytesPerSecond: 1000, kind: 'blob' });
  const client = await RawConnection.connect(t, edge.http1().target);
  const path = `/v2/library/app/blobs/${site.blob()}`;
  client.send(`GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`.repeat(3));
  await until(() => primary.requests.filter(({ url }) => url.includes(site.blob())).length === 3, {
    what: () => 'three requests at the upstream',
  });
  client.socket.destroy();
  await until(() => edge.requests.filter(({ kind }) => kind === 'blob').length === 3, {
    what: () => `a line for each of them: ${JSON.stringify(edge.requests)}`,
  });
  t.strictSame(
    edge.requests.filter(({ kind }) => kind === 'blob').map(({ outcome }) => outcome),
    ['aborted', 'aborted', 'aborted'],
  );
  const urls = () => edge.app.status().upstreams.flatMap(({ urls: all }) => all);
  await until(() => urls().every(({ inFlight }) => inFlight.data === 0), { what: () => 'every permit to be released' });
  await primary.faults.off();
  await edge.app.stop();
  t.pass('the stop has ended');
});
