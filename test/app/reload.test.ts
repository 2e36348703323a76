import { once } from 'node:events';
import { connect } from 'node:tls';
import t from 'tap';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { HOSTNAME } from '../helpers/edge-in-process.ts';
import { startLabSite } from '../helpers/lab-site.ts';

const MANIFEST = '/v2/library/app/manifests/1';

t.test('a reload under load: nothing fails, and the new routes hold', async (t) => {
  const site = await startLabSite(t);
  const other = await startLabRegistry();
  t.teardown(() => other.close());
  other.seed('elsewhere/library/app', '1', { blobs: [10] });
  const moved = {
    ...site.config,
    upstreams: { ...(site.config.upstreams as object), other: { urls: [other.url] } },
    routes: [{ prefix: '', pull: [{ upstream: 'other', prefix: 'elsewhere/' }] }],
  };
  let running = true;
  const clients = [site.edge.http1(), site.edge.http1(), site.edge.http2()];
  const statuses = new Map<string, number>();
  const load = clients.map(async (client) => {
    while (running) {
      const reply = await client.ask(MANIFEST);
      const key = `${reply.status} ${reply.complete} ${reply.headers['x-breakwater-upstream']}`;
      statuses.set(key, (statuses.get(key) ?? 0) + 1);
    }
  });
  for (let round = 0; round < 6; round += 1) await site.edge.reload(round % 2 === 0 ? moved : site.config);
  await site.edge.reload(moved);
  const last = await site.edge.http1().ask(MANIFEST);
  running = false;
  await Promise.all(load);
  t.equal(last.headers['x-breakwater-upstream'], 'other');
  t.same(
    [...statuses.keys()].filter((key) => !key.startsWith('200 true')),
    [],
    JSON.stringify([...statuses]),
  );
});

t.test('an upstream whose configuration stays the same keeps what is known of it', async (t) => {
  const site = await startLabSite(t);
  await site.primary.faults.on('errors');
  await site.edge.upstream('harbor', 'down');
  const since = () => site.edge.app.status().upstreams.find((one) => one.name === 'harbor')?.since;
  const before = since();
  await site.edge.reload({ ...site.config, limits: { manifestBytes: 2048 } });
  t.equal(since(), before);
  t.equal((await site.edge.http1().ask(MANIFEST)).headers['x-breakwater-upstream'], 'gcr');
});

t.test('a transfer under way goes on through a reload that removes its upstream', async (t) => {
  const site = await startLabSite(t);
  await site.primary.faults.on('slow', { bytesPerSecond: 400_000 });
  const slow = site.edge.http1().ask(`/v2/library/app/blobs/${site.blob()}`);
  await site.primary.faults.off();
  await site.edge.reload({
    upstreams: { gcr: (site.config.upstreams as { gcr: object }).gcr },
    routes: [{ prefix: '', pull: [{ upstream: 'gcr', prefix: 'cloud-project/' }] }],
  });
  const reply = await slow;
  t.equal(reply.body.length, 300_000);
  t.ok(reply.complete);
});

t.test('what cannot be taken over is refused, and the old one goes on', async (t) => {
  const site = await startLabSite(t);
  await t.rejects(
    site.edge.reload({ ...site.config, listen: { https: '127.0.0.1:1', admin: '127.0.0.1:0' } }),
    /restart/,
  );
  const broken = { ...(await makeCertificate({ names: [HOSTNAME] })), key: 'no key' };
  await t.rejects(site.edge.reload(site.config, { certificate: broken }));
  t.equal((await site.edge.http1().ask(MANIFEST)).status, 200);
});

t.test('another certificate for new connections, while an open one goes on', async (t) => {
  const site = await startLabSite(t);
  const client = site.edge.http1();
  t.equal((await client.ask(MANIFEST)).status, 200);
  const renewed = await makeCertificate({ names: [HOSTNAME, 'renewed.test'], authority: true });
  await site.edge.reload(site.config, { certificate: renewed });
  t.equal((await client.ask(MANIFEST)).status, 200, 'the old connection');
  const socket = connect({ host: '127.0.0.1', port: site.edge.port, servername: HOSTNAME, ca: renewed.ca });
  await once(socket, 'secureConnect');
  t.match(socket.getPeerCertificate().subjectaltname, /renewed\.test/);
  socket.destroy();
});

t.test('how long a connection is kept', async (t) => {
  const site = await startLabSite(t);
  const kept = async () => (await site.edge.http1().ask('/v2/')).headers['keep-alive'];
  t.equal(await kept(), 'timeout=75');
  await site.edge.reload({ ...site.config, limits: { keepAlive: '620s' } });
  t.equal(await kept(), 'timeout=620', 'for connections that come after a reload');
});
