import { fileURLToPath } from 'node:url';
import t from 'tap';
import { requestText } from '../../src/cli/ask/request-text.ts';
import { tryCommand } from '../helpers/command.ts';
import type { EdgeInProcess } from '../helpers/edge-in-process.ts';
import { FORWARD, secrets } from '../helpers/forward-site.ts';
import type { Reply } from '../helpers/http1-client.ts';
import { startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

const BIN = fileURLToPath(new URL('../../bin/breakwater', import.meta.url));

/** What the edge knows of the request that got a reply, as text. A record is made when its reply has gone out. */
async function told(edge: EdgeInProcess, reply: Reply): Promise<string> {
  const id = String(reply.headers['x-request-id']);
  const answer = await until(async () => {
    const { status, body } = await edge.admin(`/api/explain?request=${id}`);
    return status === 200 ? body : undefined;
  });
  return requestText(JSON.parse(answer), Date.now());
}

t.test('what happened to a request', async (t) => {
  const site = await startLabSite(t);
  const { edge, primary } = site;
  const client = edge.http1();
  await primary.faults.on('cut', { bytes: 131_072 });
  const blob = await client.ask(`/v2/library/app/blobs/${site.blob()}`, {
    headers: { 'user-agent': 'skopeo/1.9', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
  });
  await primary.faults.off();
  const text = await told(edge, blob);
  for (const line of [
    new RegExp(`^request \\w{16}: GET of blob library/app@${site.blob()} over HTTP/1.1, at 20\\S+Z, \\d+ s ago$`, 'm'),
    /^by a client without a name from 127\.0\.0\.1, with skopeo\/1\.9$/m,
    /^trace 4bf92f3577b34da6a3ce929d0e0e4736$/m,
    /^route "", whose first upstream is harbor$/m,
    /^ {2}1\. {2}harbor {2}http:\S+ {2}data {2}\d+ ms +failed reset 200 .*$/m,
    /^ {2}2\. {2}gcr {5}http:\S+ {2}data {2}\d+ ms +served 206/m,
    /^at byte \d+, harbor failed \(reset\); gcr resumed \d+ ms later$/m,
    /^digest of the blob: right$/m,
    /^reply 200 from gcr: fallback; 0 B in, 300 kB out; first byte after \d+ ms, over after \d+ ms$/m,
  ])
    t.match(text, line);

  const admin = `http://127.0.0.1:${edge.app.addresses().admin.port}`;
  const id = String(blob.headers['x-request-id']);
  const command = await tryCommand(BIN, ['explain', '--request', id, '--admin', admin]);
  t.match(command, { status: 0, output: /^at byte \d+, harbor failed \(reset\); gcr resumed \d+ ms later$/m });
  t.match(await tryCommand(BIN, ['explain', 'library/app', '--request', id]), {
    status: 2,
    output: 'name an image, or a request',
  });

  const absent = await told(edge, await client.ask('/v2/library/app/manifests/9'));
  t.match(absent, /^reply 404 MANIFEST_UNKNOWN: absent; /m);
  t.match(absent, /^why: .+/m);
  await client.ask('/v2/library/app/manifests/1');
  const cached = await client.ask(`/v2/library/app/manifests/${site.image.digest}`);
  t.match(await told(edge, cached), /^no upstream was asked: the manifest was in memory$/m);
  t.match(
    await told(edge, await client.ask('/v2/Library/app/manifests/1')),
    /GET of something that the edge could not/,
  );
});

t.test('a name that a client claims is told as unchecked, and no credential is told', async (t) => {
  const { edge, primary } = await startLabSite(t, FORWARD);
  const client = edge.http1();
  const asked = (authorization: string) => client.ask('/v2/library/app/manifests/1', { headers: { authorization } });
  const wrong = `Basic ${Buffer.from('eve:Tr0ub4dor-eve').toString('base64')}`;
  await primary.faults.on('errors', {});
  const replies = [await asked(wrong), await asked('Bearer s3cret-token-of-ann')];
  const [text = '', more = ''] = [await told(edge, replies[0] as Reply), await told(edge, replies[1] as Reply)];
  t.match(text, /^by a client that calls itself eve, which the edge has not checked from 127\.0\.0\.1/m);
  const json = await edge.admin(`/api/explain?request=${replies[0]?.headers['x-request-id']}`);
  for (const secret of [...secrets('Tr0ub4dor-eve', wrong.slice(6)), 's3cret-token'])
    t.notOk(`${text}${more}${json.body}`.includes(secret), secret);
});

t.test('what it does not know, it says', async (t) => {
  const { edge } = await startLabSite(t);
  const ask = async (id: string) => (await edge.admin(`/api/explain?request=${id}`)).body;
  t.match(await ask('0123456789abcdef'), 'no request has ended since it started');
  const client = edge.http1();
  const { headers } = await client.ask('/v2/');
  const id = String(headers['x-request-id']);
  await until(async () => (await edge.admin(`/api/explain?request=${id}`)).status === 200);
  t.match(await ask('0123456789abcdef'), 'another edge got it, or this one before its last start');
  t.match(await ask(`${id.slice(0, 10)}zzzzzz`), 'is not one of the last 1000 of this edge');
  t.match(await ask('..%2F'), 'NAME_INVALID');
});
