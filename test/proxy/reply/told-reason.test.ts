import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import t from 'tap';
import { HOSTNAME } from '../../helpers/edge-in-process.ts';
import { INNER, type LabSite, startLabSite } from '../../helpers/lab-site.ts';

// Many clients show nothing of an error but its status line: docker, podman and skopeo of a 503, containerd of every error.

async function statusLine({ edge }: LabSite, method: string, path: string): Promise<IncomingMessage> {
  const { port, certificate } = edge;
  const options = { port, host: '127.0.0.1', servername: HOSTNAME, ca: certificate.ca, method, path, agent: false };
  const sent = request({ ...options, headers: { host: HOSTNAME } }).end();
  const [reply] = (await once(sent, 'response')) as [IncomingMessage];
  reply.resume();
  await once(reply, 'end');
  return reply;
}

t.test('the status line of an error of the edge says why', async (t) => {
  const site = await startLabSite(t, { route: { pull: [{ upstream: 'harbor', prefix: INNER }] } });
  await site.primary.faults.on('errors');
  await site.edge.pushes('harbor', false);
  const image = '/v2/library/none/manifests/1';
  const push = await statusLine(site, 'POST', '/v2/library/app/blobs/uploads/');
  t.equal(push.statusCode, 403);
  t.match(push.statusMessage, /^Forbidden: pushes are refused since .*: harbor cannot take them \(.*\)/);
  const pull = await statusLine(site, 'GET', image);
  t.equal(pull.statusCode, 503);
  t.match(pull.statusMessage, /^Service Unavailable: library\/none:1 cannot be served now: harbor .* \(request \w+\)$/);
  t.equal(pull.headers.warning, undefined, 'the body says it too');
  const head = await statusLine(site, 'HEAD', image);
  t.match(head.statusMessage, /^Service Unavailable: library\/none:1 cannot/);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const { headers } = await client.ask(image, { method: 'HEAD' });
    t.match(headers.warning, /^299 - "library\/none:1 cannot be served now: harbor .*"$/, `${client.version}, no body`);
  }
});

t.test('a status line stays short, and what is no error of the edge is not told there', async (t) => {
  const site = await startLabSite(t);
  const found = await statusLine(site, 'GET', '/v2/library/app/manifests/1');
  t.equal(found.statusMessage, 'OK');
  const absent = await statusLine(site, 'GET', '/v2/library/none/manifests/1');
  t.equal(absent.statusMessage, 'Not Found');
  const long = `/v2/${'long/'.repeat(45)}name/manifests/1`;
  await site.primary.faults.on('errors');
  await site.fallback.faults.on('errors');
  const { statusMessage } = await statusLine(site, 'GET', long);
  t.match(statusMessage, /^Service Unavailable: long\//);
  t.ok((statusMessage ?? '').length <= 330, 'short');
});
