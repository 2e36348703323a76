import t from 'tap';
import { clientRequests } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';
import { digestOf, pathOf, push, startLedgerSite, tagWarning } from './ledger-site.ts';
import { asksFirst, lineFor } from './paced-upstream.ts';

// What is noted in the ledger, by which requests, and of whom it is said.

t.test('a client that has an old one and asks whether it is current', async (t) => {
  const site = await startLedgerSite(t);
  const client = site.lab.edge.http1();
  for (const policy of ['warn', 'refuse']) {
    const image = `${policy}/app:1`;
    site.put('both', image, 1);
    await client.ask(pathOf(image));
    site.put('harbor', image, 2);
    await client.ask(pathOf(image));
  }
  const replaced = site.put('both', 'warn/there:1', 2).digest;
  const { digest: old } = site.put('both', 'warn/there:1', 1);
  await client.ask(pathOf('warn/there:1'));
  site.put('harbor', 'warn/there:1', 2);
  await client.ask(pathOf('warn/there:1'));
  await site.outage();
  const headers = { 'if-none-match': `"${old}"` };
  const there = await client.ask(pathOf('warn/there:1'), { headers });
  t.match(there, { status: 200 }, 'it is not, and gets what is');
  t.equal(digestOf(there), replaced);
  const warned = await client.ask(pathOf('warn/app:1'), { headers });
  t.match(warned, { status: 304 });
  t.match(tagWarning(warned), /older/, 'or hears of it');
  t.match(await client.ask(pathOf('refuse/app:1'), { headers }), { status: 503 });
});

t.test('reads that show no body are noted too', async (t) => {
  const site = await startLedgerSite(t);
  const client = site.lab.edge.http2();
  const reads: [method: string, conditional: boolean][] = [
    ['HEAD', false],
    ['GET', true],
    ['HEAD', true],
  ];
  for (const [index, [method, conditional]] of reads.entries()) {
    const image = `warn/app${index}:1`;
    const { digest } = site.put('both', image, 1);
    const headers: Record<string, string> = conditional ? { 'if-none-match': `"${digest}"` } : {};
    t.match(await client.ask(pathOf(image), { method, headers }), { status: conditional ? 304 : 200 });
    site.put('gcr', image, 3);
    await site.outage();
    t.match(tagWarning(await client.ask(pathOf(image))), /not seen to have/, `${method} ${conditional}`);
    await site.recovered(image);
  }
});

t.test('a push, and a primary that freezes right after it', async (t) => {
  const site = await startLedgerSite(t, { harbor: { deadlines: { manifest: '400ms' } } });
  const client = site.lab.edge.http1();
  site.put('both', 'warn/app:1', 1);
  const newer = site.put('harbor', 'warn/app:2', 2);
  t.match(await push(client, 'warn/app:1', newer.manifest), { status: 201 });
  await site.harbor.faults.on('frozen');
  const before = await client.ask(pathOf('warn/app:1'));
  t.match(before, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.match(tagWarning(before), /which harbor was not seen to have/, 'it was never read before, so it is no older one');
  site.gcr.seed('cloud/warn/app', 'copied', { blobs: [2], annotations: { size: '2' } });
  await site.harbor.faults.off();
  await asksFirst(site.lab, 'harbor', 'warn/app:1');
  const reply = await client.ask(pathOf('warn/app:1'));
  t.equal(digestOf(reply), newer.digest);
});

t.test('a manifest that a tag is at must be there', async (t) => {
  const site = await startLedgerSite(t);
  const client = site.lab.edge.http1();
  const { digest } = site.put('both', 'warn/app:1', 1);
  const path = pathOf(`warn/app@${digest}`);
  await client.ask(pathOf('warn/app:1'), { method: 'HEAD' });
  await site.harbor.faults.on('errors', { kind: 'manifest', path: 'warn/app', status: 404 });
  const reply = await client.ask(path);
  t.match(
    reply,
    { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } },
    'a 404 for a recorded manifest is not believed',
  );
  t.match(await lineFor(site.lab.edge, reply), { attempts: [{ upstream: 'harbor', outcome: 'absent' }, {}] });
  await site.recovered();
  const unknown = site.put('gcr', 'warn/app:2', 2).digest;
  t.match(await client.ask(pathOf(`warn/app@${unknown}`)), { status: 404 }, 'of others it is believed');
  t.match(await client.ask(pathOf('warn/app:2')), { status: 404 });
});

t.test('the same tag of other repositories is another one', async (t) => {
  const site = await startLedgerSite(t);
  const client = site.lab.edge.http1();
  site.put('harbor', 'warn/app:1', 2);
  await client.ask(pathOf('warn/app:1'));
  const others = ['warn/app2:1', 'warn/app/sub:1', 'serve/app:1', 'warn/app:2'];
  for (const image of others) site.put('gcr', image, 1);
  await site.outage();
  for (const image of others) {
    const reply = await client.ask(pathOf(image));
    t.match(reply, { status: 200 });
    t.match((await lineFor(site.lab.edge, reply)).tag, { verdict: 'unrecorded', action: 'served' }, image);
  }
});

t.test('on a read-only route the tags of the first upstream are authoritative', async (t) => {
  const site = await startLedgerSite(t);
  const client = site.lab.edge.http1();
  site.put('both', 'mirror/app:1', 1);
  await client.ask(pathOf('mirror/app:1'));
  site.put('harbor', 'mirror/app:1', 2);
  await client.ask(pathOf('mirror/app:1'));
  await site.outage();
  t.match(tagWarning(await client.ask(pathOf('mirror/app:1'))), /older/);
});

t.test('after a reload another registry may be under that name', async (t) => {
  const site = await startLedgerSite(t);
  const { edge, config } = site.lab;
  const client = edge.http1();
  site.put('harbor', 'warn/app:1', 2);
  site.put('gcr', 'warn/app:1', 1);
  await client.ask(pathOf('warn/app:1'));
  const { upstreams } = config as { upstreams: Record<string, Record<string, unknown>> };
  await edge.reload({ ...config, upstreams: { ...upstreams, gcr: { ...upstreams.gcr, hedge: { share: 3 } } } });
  await site.outage();
  t.match(tagWarning(await client.ask(pathOf('warn/app:1'))), /not seen to have/, 'it is the same one still');
  const elsewhere = { ...upstreams.harbor, urls: ['http://127.0.0.1:9'] };
  await edge.reload({ ...config, upstreams: { ...upstreams, harbor: elsewhere } });
  await edge.upstream('harbor', 'down');
  const reply = await client.ask(pathOf('warn/app:1'));
  t.match((await lineFor(edge, reply)).tag, { verdict: 'unrecorded' });
});

t.test('an upstream is asked once for the current digest', async (t) => {
  const site = await startLedgerSite(t);
  const { edge } = site.lab;
  site.put('harbor', 'warn/app:1', 1);
  const client = edge.http2();
  await client.ask(pathOf('warn/app:1'));
  const current = site.put('both', 'warn/app:1', 2).digest;
  await client.ask(pathOf('warn/app:1'));
  site.put('gcr', 'warn/app:1', 1);
  await site.outage();
  await until(() => edge.app.status().upstreams[0]?.state === 'down');
  site.gcr.forget();
  const replies = await Promise.all(Array.from({ length: 50 }, () => client.ask(pathOf('warn/app:1'))));
  t.ok(replies.every((reply) => digestOf(reply) === current));
  const asked = clientRequests(site.gcr).length;
  t.ok(asked <= 4, `a herd asks for the tag, and for the digest: ${asked}`);
});
