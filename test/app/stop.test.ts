import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { received2 } from '../helpers/http2-client.ts';
import { startLabSite } from '../helpers/lab-site.ts';
import { RawConnection } from '../helpers/raw-connection.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

const MANIFEST = '/v2/library/app/manifests/1';

t.test('stop: /readyz fails first, then what is under way finishes, then nothing listens', async (t) => {
  const site = await startLabSite(t, {
    canary: false,
    config: { drain: { announce: `${timeLimit(1000)}ms`, timeout: `${timeLimit(10_000)}ms` } },
  });
  const { edge, primary } = site;
  t.equal((await edge.admin('/readyz')).status, 200);
  await primary.faults.on('stall', { path: 'library/app', bytes: 150_000 });
  const path = `/v2/library/app/blobs/${site.blob()}`;
  const stream = edge.http2().open(path);
  const reply = received2(stream);
  await once(stream, 'data');
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.send(`GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
  await raw.heard(/200 OK/);
  const upload = edge.http2().open('/v2/team/new/blobs/uploads/', { method: 'POST' }, false);
  const uploaded = received2(upload);

  const { port } = edge;
  const stopped = edge.app.stop();
  await until(async () => (await edge.admin('/readyz')).status === 503, { every: 5, what: () => '/readyz to fail' });
  const [alive, served] = await Promise.all([edge.admin('/healthz'), edge.http1().ask(MANIFEST)]);
  t.equal(alive.status, 200, 'it is alive');
  t.equal(served.status, 200, 'and still serves, new connections too');
  await until(() => refused(port), { what: () => 'the port to be closed' });
  await primary.faults.off();
  upload.end();
  t.equal((await uploaded).status, 202, 'a push under way');
  t.match(await reply, { status: 200, complete: true }, 'HTTP/2');
  await raw.closed();
  t.equal(raw.received.length - raw.text.indexOf('\r\n\r\n') - 4, 300_000, 'HTTP/1.1');
  t.equal(raw.end, 'fin');
  await stopped;
  t.match(edge.log, /"msg":"drained"/);
});

function refused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });
}

t.test('stop before a start, twice, and with idle clients', async (t) => {
  const site = await startLabSite(t);
  const [h1, h2] = [site.edge.http1(), site.edge.http2()];
  await Promise.all([h1.ask(MANIFEST), h2.ask(MANIFEST)]);
  const began = performance.now();
  await Promise.all([site.edge.app.stop(), site.edge.app.stop()]);
  await site.edge.app.stop();
  t.ok(performance.now() - began < timeLimit(2000), 'idle connections hold nothing up');
});
