import t from 'tap';
import { clientRequests, startLabSite } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';
import { type Answer, BY_DIGEST, lineFor, MANIFEST, serveRight, startPacedSite, status } from './paced-upstream.ts';

// Manifests by digest out of memory.

const WITH_MEMORY = { config: { manifests: {} } };
const DIGEST = BY_DIGEST.slice(BY_DIGEST.lastIndexOf('/') + 1);

t.test('the same reply as of the upstream', async (t) => {
  const site = await startLabSite(t);
  const { digest, manifest } = site.image;
  const path = `/v2/library/app/manifests/${digest}`;
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const first = await client.ask('/v2/library/app/manifests/1');
    site.primary.forget();
    const reply = await client.ask(path);
    t.match(reply, { status: 200, complete: true, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.ok(reply.body.equals(manifest));
    for (const name of ['content-type', 'content-length', 'docker-content-digest', 'etag'])
      t.equal(reply.headers[name], first.headers[name], `${client.version}: ${name}`);
    t.not(reply.headers['x-request-id'], first.headers['x-request-id']);
    t.notHas(reply.headers, { warning: '' });
    t.match(await lineFor(site.edge, reply), { memory: true, outcome: 'served', attempts: [] });
    const head = await client.ask(path, { method: 'HEAD' });
    t.match(head, {
      status: 200,
      headers: { 'content-length': String(manifest.length), 'docker-content-digest': digest },
    });
    t.equal(head.body.length, 0);
    for (const known of [`"${digest}"`, `W/"${digest}"`, `"sha256:aa", "${digest}"`]) {
      const unchanged = await client.ask(path, { headers: { 'if-none-match': known } });
      t.match(unchanged, { status: 304, headers: { 'docker-content-digest': digest } }, known);
      t.equal(unchanged.body.length, 0);
    }
    t.match(await client.ask(path, { headers: { 'if-none-match': '"sha256:aa"' } }), { status: 200 });
    t.same(clientRequests(site.primary), [], 'no upstream was asked');
  }
  await site.primary.faults.on('down');
  t.match(await site.edge.http1().ask(path), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
});

t.test('a manifest from a fallback is not remembered for the first upstream', async (t) => {
  const site = await startPacedSite(t, WITH_MEMORY);
  const client = site.edge.http1();
  site.harbor.answer = status(500);
  t.match(await client.ask(BY_DIGEST), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  site.harbor.answer = serveRight;
  site.harbor.asked = 0;
  await until(async () => (await client.ask(BY_DIGEST)).headers['x-breakwater-upstream'] === 'harbor');
  t.ok(site.harbor.asked > 0, 'which is asked once it is back');
});

t.test('none is kept', async (t) => {
  for (const manifests of [{ memory: 0 }, { keep: '0s' }]) {
    const site = await startPacedSite(t, { config: { manifests } });
    const client = site.edge.http1();
    for (let count = 1; count <= 3; count += 1) {
      await client.ask(BY_DIGEST);
      t.equal(site.harbor.asked, count, JSON.stringify(manifests));
    }
  }
});

t.test('partial and wrong manifests are not kept', async (t) => {
  const site = await startPacedSite(t, WITH_MEMORY);
  const client = site.edge.http1();
  const wrong: Answer = (_, res) => void res.writeHead(200, { 'docker-content-digest': DIGEST }).end('{}');
  for (const upstream of [site.harbor, site.gcr, site.quay]) upstream.answer = wrong;
  t.match(await client.ask(BY_DIGEST), { status: 503 });
  t.match(await client.ask('/v2/app/manifests/1'), { status: 503 });
  for (const upstream of [site.harbor, site.gcr, site.quay]) upstream.answer = serveRight;
  t.match(await client.ask(BY_DIGEST, { method: 'HEAD' }), { status: 200 });
  const reply = await client.ask(BY_DIGEST, { headers: { range: 'bytes=0-9' } });
  t.ok(reply.body.equals(MANIFEST), 'a part is never asked for');
});

t.test('a manifest that was deleted through the edge is forgotten', async (t) => {
  const site = await startLabSite(t, { route: { onAbsent: 'stop' } });
  const client = site.edge.http1();
  const path = `/v2/library/app/manifests/${site.image.digest}`;
  t.match(await client.ask(path), { status: 200 });
  t.match(await client.ask(path, { method: 'DELETE' }), { status: 202 });
  t.match(await client.ask(path), { status: 404 });
});

t.test('a manifest that is read while it is deleted is not kept', async (t) => {
  const site = await startPacedSite(t, { ...WITH_MEMORY, harbor: { hedge: { floor: '10s' } } });
  const client = site.edge.http2();
  site.harbor.answer = (req, res) => (req.method === 'DELETE' ? status(202)(req, res) : serveRight(req, res));
  site.harbor.pace = 300;
  const early = client.ask(BY_DIGEST);
  await until(() => site.harbor.open.size === 1, { every: 2 });
  site.harbor.pace = 0;
  t.match(await client.ask(BY_DIGEST, { method: 'DELETE' }), { status: 202 });
  t.match(await early, { status: 200 }, 'an earlier request is answered');
  for (const upstream of [site.harbor, site.gcr, site.quay]) upstream.answer = status(404);
  t.match(await client.ask(BY_DIGEST), { status: 404 }, 'a later request is not');
});

t.test('under the name of an upstream there may be another registry after a reload', async (t) => {
  const site = await startLabSite(t);
  const client = site.edge.http1();
  const path = `/v2/library/app/manifests/${site.image.digest}`;
  await client.ask(path);
  const { upstreams, ...rest } = site.config as { upstreams: Record<string, Record<string, unknown>> };
  await site.edge.reload({ ...rest, upstreams });
  site.primary.forget();
  await client.ask(path);
  t.same(clientRequests(site.primary), [], 'it is the same one still');
  await site.edge.reload({
    ...rest,
    upstreams: { ...upstreams, harbor: { ...upstreams.harbor, hedge: { share: 5 } } },
  });
  await client.ask(path);
  t.equal(clientRequests(site.primary).length, 1, 'it may be another one');
});
