import { once } from 'node:events';
import { request } from 'node:https';
import t from 'tap';
import { HOSTNAME } from '../../helpers/edge-in-process.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { received2 } from '../../helpers/http2-client.ts';
import {
  CLOUD,
  codeOf,
  INNER,
  type LabSite,
  type LabSiteOptions,
  MANIFEST_TYPE,
  manifestOf,
  pushBlob,
  startLabSite,
} from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { hookFixture } from '../../replication/hooks/fixture.ts';

const SECRET = 'the secret of the hooks';
const DIGEST = `sha256:${'4f'.repeat(32)}`;
const EVENTS = 'application/vnd.docker.distribution.events.v1+json';
const PULL = [
  { upstream: 'harbor', prefix: INNER },
  { upstream: 'gcr', prefix: CLOUD, replicate: true },
];

function startSite(owner: Owner, options: LabSiteOptions = {}): Promise<LabSite> {
  return startLabSite(owner, {
    route: { pull: PULL },
    ...options,
    settings: { hookSecret: SECRET, ...options.settings },
  });
}

interface Hook {
  to?: string;
  type?: string | undefined;
  authorization?: string;
  method?: string;
  body?: string;
}

/** A push that Harbor tells of. */
function push(repository = `${INNER}app`, tag = '1'): string {
  const resources = [{ digest: DIGEST, tag }];
  return JSON.stringify({
    type: 'PUSH_ARTIFACT',
    event_data: { repository: { repo_full_name: repository }, resources },
  });
}

function tell(client: Client, hook: Hook = {}): Promise<Reply> {
  const { to = '/hooks/harbor', type = 'application/json', authorization = SECRET, method = 'POST' } = hook;
  const headers = { authorization, ...(type === '' ? {} : { 'content-type': type }) };
  return client.ask(to, { method, headers, body: hook.body ?? push() });
}

/** The status of a hook whose sender asks first whether to send the body; it must not be told to. */
async function statusBeforeBody({ edge }: LabSite, headers: Record<string, string>): Promise<number> {
  const call = request({
    host: '127.0.0.1',
    port: edge.port,
    ca: edge.certificate.ca,
    servername: HOSTNAME,
    path: '/hooks/harbor',
    method: 'POST',
    headers: {
      host: HOSTNAME,
      'content-type': 'application/json',
      expect: '100-continue',
      'content-length': '1000',
      ...headers,
    },
  });
  call.flushHeaders();
  call.on('continue', () => t.fail('the body was asked for'));
  const [{ statusCode }] = await once(call, 'response');
  call.destroy();
  return statusCode;
}

async function counted(site: LabSite): Promise<Record<string, number>> {
  const { body } = await site.edge.admin('/metrics');
  const lines = body.matchAll(/^breakwater_hints_total\{from="(\w+)",kind="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, from, kind, count]) => [`${from} ${kind}`, Number(count)]));
}

t.test('hooks of each kind, over HTTP/1.1 and HTTP/2', async (t) => {
  const site = await startSite(t);
  const gathered = JSON.stringify({
    events: ['1', '2', '3'].map((tag) => ({
      action: tag === '3' ? 'delete' : 'push',
      target: { mediaType: MANIFEST_TYPE, repository: `${INNER}app`, tag, digest: DIGEST },
    })),
  });
  const asked: [hook: Hook, hints: number][] = [
    [{}, 1],
    [{ type: 'application/json; charset=utf-8' }, 1],
    [{ type: 'application/cloudevents+json', body: push() }, 1],
    [{ authorization: `Bearer ${SECRET}` }, 1],
    [{ authorization: `Basic ${Buffer.from(`x:${SECRET}`).toString('base64')}` }, 1],
    [{ to: '/hooks/harbor?x=1' }, 1],
    [{ body: push('elsewhere/app') }, 0],
    [{ body: hookFixture('harbor-pull') }, 0],
    [{ body: hookFixture('harbor-cloud-scan'), type: 'application/cloudevents+json' }, 0],
    [{ to: '/hooks/distribution', type: EVENTS, body: gathered }, 3],
    [{ to: '/hooks/distribution', type: EVENTS.replace('v1', 'v2'), body: hookFixture('distribution-push-blob') }, 0],
  ];
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    for (const [hook, hints] of asked) {
      const reply = await tell(client, hook);
      t.match(reply, { status: 202, headers: { 'content-type': 'application/json' } }, JSON.stringify(hook));
      t.same(JSON.parse(reply.body.toString()), { hints });
    }
  }
  t.same(await counted(site), {
    'edge push': 0,
    'edge delete': 0,
    'harbor push': 12,
    'harbor delete': 0,
    'distribution push': 4,
    'distribution delete': 2,
  });
  t.match(
    site.edge.requests.find(({ kind }) => kind === 'hook'),
    {
      outcome: 'served',
      status: 202,
      repository: `${INNER}app`,
      reference: '1',
      hints: { from: 'harbor', push: 1, delete: 0 },
    },
    'the line says of what',
  );
  t.notMatch(site.edge.log, SECRET);
});

t.test('requests that are no hooks are refused and logged', async (t) => {
  const site = await startSite(t);
  const asked: [hook: Hook, status: number, code: string][] = [
    [{ method: 'PUT' }, 405, 'UNSUPPORTED'],
    [{ type: '' }, 415, 'UNSUPPORTED'],
    [{ type: 'text/plain' }, 415, 'UNSUPPORTED'],
    [{ type: EVENTS }, 415, 'UNSUPPORTED'],
    [{ to: '/hooks/distribution', type: 'application/cloudevents+json' }, 415, 'UNSUPPORTED'],
    [{ body: '{"type":"PUSH_ARTIFACT"' }, 400, 'UNSUPPORTED'],
    [{ body: push('../etc') }, 400, 'UNSUPPORTED'],
    [{ body: '' }, 400, 'UNSUPPORTED'],
    [{ to: '/hooks/distribution' }, 400, 'UNSUPPORTED'],
    [{ to: '/hooks/' }, 404, 'NAME_UNKNOWN'],
    [{ to: '/hooks/harbor/' }, 404, 'NAME_UNKNOWN'],
    [{ to: '/hooks/gitlab' }, 404, 'NAME_UNKNOWN'],
    [{ to: '/hooks%2fharbor' }, 404, 'NAME_UNKNOWN'],
  ];
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    for (const [hook, status, code] of asked) {
      const reply = await tell(client, hook);
      t.equal(reply.status, status, JSON.stringify(hook));
      t.equal(codeOf(reply), code);
    }
  }
  t.equal((await tell(site.edge.http1())).status, 202, 'and it goes on');
  const line = await site.edge.line(({ kind, status }) => kind === 'hook' && status === 400);
  t.match(line, { outcome: 'invalid', detail: /^the payload cannot be used: it is no JSON/ });
});

t.test('a body that is too long is not read to its end', async (t) => {
  const site = await startSite(t);
  const long = push(`${INNER}app`, '1'.repeat(1_048_577));
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const reply = await tell(client, { body: long });
    t.match(reply, { status: 413, complete: true }, client.version);
    t.equal(codeOf(reply), 'SIZE_INVALID');
  }
  const headers = { authorization: SECRET, 'content-type': 'application/json' };
  const stream = site.edge.http2().open('/hooks/harbor', { method: 'POST', headers }, false);
  const reply = received2(stream);
  stream.write(long);
  t.equal((await reply).status, 413, 'without a Content-Length');
  const announced = await statusBeforeBody(site, { authorization: SECRET, 'content-length': '1048577' });
  t.equal(announced, 413, 'said before it is sent');
});

t.test('without the secret nothing is said, and nothing read', async (t) => {
  const site = await startSite(t);
  const client = site.edge.http1();
  for (const authorization of ['', 'wrong', `Bearer ${SECRET}x`]) {
    const reply = await tell(client, { authorization, type: 'text/plain', body: 'nonsense' });
    t.match(reply, { status: 401, headers: { 'www-authenticate': 'Bearer' } }, authorization);
    t.notMatch(reply.body.toString(), /secret/);
  }
  t.equal(await statusBeforeBody(site, { authorization: 'wrong' }), 401);
  // Together, because the edge forgives one failure in six seconds.
  const others = site.edge.http2();
  const guesses = await Promise.all(
    Array.from({ length: 30 }, (_, guess) => tell(others, { authorization: `guess ${guess}` })),
  );
  t.ok(guesses.filter(({ status }) => status === 401).length >= 6);
  t.match(await tell(client), { status: 429, headers: { 'retry-after': /^\d+$/ } }, 'then the right secret waits too');
  t.same((await counted(site))['harbor push'], 0);
});

t.test('another secret, taken by a reload', async (t) => {
  const site = await startSite(t);
  await site.edge.reload(site.config, { hookSecret: 'another secret of hooks' });
  const client = site.edge.http1();
  t.equal((await tell(client)).status, 401);
  t.equal((await tell(client, { authorization: 'another secret of hooks' })).status, 202);
});

t.test('clients need no token of the edge to tell, and a token tells nothing', async (t) => {
  const auth = { mode: 'htpasswd', htpasswdFile: 'users', access: { '*': ['** pull'] } };
  const site = await startSite(t, { config: { auth }, settings: { users: {} } });
  const client = site.edge.http2();
  t.equal((await tell(client)).status, 202);
  t.equal((await tell(client, { authorization: 'Bearer eyJhbGciOiJkaXIifQ..x.y.z' })).status, 401);
});

t.test('hooks are off without a secret, also where other paths are passed on', async (t) => {
  const site = await startLabSite(t, {
    route: { pull: PULL },
    primary: { harbor: true },
    config: { passthrough: 'harbor' },
  });
  const client = site.edge.http1();
  const before = site.primary.requests.filter(({ kind }) => kind === 'ui').length;
  for (const to of ['/hooks/harbor', '/hooks/distribution']) {
    const reply = await tell(client, { to });
    t.equal(reply.status, 404, to);
    t.match(reply.body.toString(), /hookSecretFile is not set/);
  }
  t.equal(site.primary.requests.filter(({ kind }) => kind === 'ui').length, before);
});

/** Pushes a manifest by tag and deletes it by digest. */
async function pushAndDelete(client: Client): Promise<void> {
  const config = Buffer.from('{}');
  await pushBlob(client, 'app', config);
  const manifest = manifestOf(config);
  const headers = { 'content-type': MANIFEST_TYPE };
  const put = await client.ask('/v2/app/manifests/1', { method: 'PUT', body: manifest, headers });
  t.equal(put.status, 201);
  const refused = await client.ask('/v2/app/manifests/2', { method: 'PUT', body: 'nonsense', headers });
  t.equal(refused.status, 400);
  const digest = String(put.headers['docker-content-digest']);
  t.equal((await client.ask(`/v2/app/manifests/${digest}`, { method: 'DELETE' })).status, 202);
}

t.test('pushes and deletions through the edge are hints', async (t) => {
  const site = await startSite(t);
  await pushAndDelete(site.edge.http1());
  await pushAndDelete(site.edge.http2());
  t.match(await counted(site), { 'edge push': 2, 'edge delete': 2, 'harbor push': 0 });
  const line = await site.edge.line(({ kind, status }) => kind === 'manifest' && status === 201);
  t.match(line, { repository: 'app', reference: '1', hints: { from: 'edge', push: 1, delete: 0 } });
});

t.test('not where nothing is copied', async (t) => {
  const site = await startLabSite(t);
  await pushAndDelete(site.edge.http1());
  t.match(await counted(site), { 'edge push': 0, 'edge delete': 0 });
});
