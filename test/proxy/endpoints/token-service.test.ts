import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import {
  ANN,
  BEARER,
  basic,
  bearer,
  challengeOf,
  FORWARD,
  probe,
  secrets,
  tokenFor,
} from '../../helpers/forward-site.ts';
import { codeOf, type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

const MANIFEST = '/v2/library/app/manifests/1';

t.test('token services that are not there, or not ours', async (t) => {
  const site = await startLabSite(t, {
    ...FORWARD,
    harbor: { ...FORWARD.harbor, deadlines: { manifest: '500ms' }, probe: { ...probe, ...RARE_PROBE } },
  });
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const asked = await client.ask(MANIFEST);
    const { realm } = challengeOf(asked);
    const path = new URL(realm).pathname;
    site.primary.forget();
    for (const forged of [path.slice(0, -2), '/auth/token/', '/auth/token/eyJhbGciOiJub25lIn0.e30.', `${path}/x`]) {
      const reply = await client.ask(forged, { headers: { authorization: ANN } });
      t.equal(reply.status, 404, forged.slice(0, 24));
    }
    t.match(await client.ask(path, { method: 'PUT', body: 'x' }), { status: 405, headers: { allow: 'GET, POST' } });
    t.equal(site.primary.requests.length, 0, 'and no password went anywhere');
    await site.primary.faults.on('frozen');
    const frozen = await tokenFor(client, asked);
    t.match(frozen, { status: 503, headers: { 'retry-after': /\d/ } });
    t.ok(frozen.headersAfter < timeLimit(2000));
    await site.primary.faults.on('down');
    t.match(await tokenFor(client, asked), { status: 503 });
    await site.primary.faults.off();
  }
});

t.test('no password of a client goes to the token service of an upstream that takes none', async (t) => {
  const site = await startLabSite(t, FORWARD);
  const client = site.edge.http1();
  const asked = await client.ask(MANIFEST);
  t.equal((await tokenFor(client, asked)).status, 200);
  const { upstreams } = site.config as { upstreams: { harbor: object } };
  const harbor = { ...upstreams.harbor, credentials: 'none' };
  await site.edge.reload({ ...site.config, upstreams: { ...upstreams, harbor } });
  site.primary.forget();
  for (const method of ['GET', 'POST']) {
    const headers = { authorization: ANN, 'content-type': 'application/x-www-form-urlencoded' };
    const body = method === 'POST' ? { body: 'username=ann' } : {};
    const reply = await client.ask(new URL(challengeOf(asked).realm).pathname, { method, headers, ...body });
    t.match({ status: reply.status, code: codeOf(reply) }, { status: 404, code: 'UNAUTHORIZED' }, method);
  }
  t.equal(site.primary.requests.filter(({ headers }) => headers.authorization === ANN).length, 0);
});

t.test('Harbor refuses a login without a word, and the client is told', async (t) => {
  const site = await startLabSite(t, FORWARD);
  const client = site.edge.http1();
  const path = new URL(challengeOf(await client.ask('/v2/')).realm).pathname;
  const refused = await client.ask(path, { headers: { authorization: basic('ann', 'wrong') } });
  t.match(refused, { status: 401, headers: { 'content-type': 'application/json' } });
  t.match(JSON.parse(refused.body.toString()).errors, [{ code: 'UNAUTHORIZED', message: 'harbor refuses this login' }]);
});

/** A token service that takes POST: shows what it was asked and answers with the scope that it granted. */
async function startTokenService(owner: Owner) {
  const asked: { form: URLSearchParams; authorization: string | undefined }[] = [];
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    asked.push({ form, authorization: request.headers.authorization });
    const reply = {
      access_token: 'granted-t0ken',
      refresh_token: 'refresh-t0ken',
      expires_in: 300,
      scope: form.get('scope'),
    };
    response.writeHead(200, { 'content-type': 'application/json', 'set-cookie': 'a=b' }).end(JSON.stringify(reply));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => server.closeAllConnections());
  owner.teardown(() => server.close());
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/oauth` };
}

t.test('POST to the token service: scopes renamed both ways', async (t) => {
  const service = await startTokenService(t);
  const site = await startLabSite(t, {
    primary: { auth: { ...BEARER, realm: service.url } },
    harbor: { credentials: 'forward', realmHosts: [new URL(service.url).host] },
    canary: false,
  });
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const challenge = challengeOf(await client.ask(MANIFEST));
    const path = new URL(challenge.realm).pathname;
    const form = new URLSearchParams({
      grant_type: 'password',
      username: 'ann',
      password: 'Tr0ub4dor&3',
      service: 'lab',
      scope: 'repository:library/app:pull repository:team/new:pull,push registry:catalog:*',
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const reply = await client.ask(path, { method: 'POST', body: form.toString(), headers });
    t.equal(reply.status, 200);
    const { form: got } = service.asked.at(-1) ?? {};
    t.equal(
      got?.get('scope'),
      'repository:inner/library/app:pull repository:inner/team/new:pull,push registry:catalog:*',
    );
    t.match(Object.fromEntries(got ?? []), {
      grant_type: 'password',
      username: 'ann',
      password: 'Tr0ub4dor&3',
      service: 'lab',
    });
    const granted = JSON.parse(reply.body.toString());
    t.match(granted, { access_token: 'granted-t0ken', refresh_token: 'refresh-t0ken' });
    t.equal(granted.scope, form.get('scope'), 'the grant is in the client’s names');
    t.equal(reply.headers['set-cookie'], undefined);
    t.equal(site.leak(reply), undefined);
    const large = await client.ask(path, { method: 'POST', body: `a=${'x'.repeat(70_000)}`, headers });
    t.match(
      { status: large.status, code: codeOf(large) },
      { status: 413, code: 'SIZE_INVALID' },
      'a form that is too long',
    );
  }
  const path = new URL(challengeOf(await site.edge.http1().ask(MANIFEST)).realm).pathname;
  const patient = await RawConnection.connect(t, site.edge.http1().target);
  patient.send(`POST ${path} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n`);
  await patient.heard(/^HTTP\/1\.1 100 Continue/);
  patient.send('a=b&c=d');
  await patient.heard(/HTTP\/1\.1 200 /);
  const leaving = await RawConnection.connect(t, site.edge.http1().target);
  leaving.send(`POST ${path} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 700\r\n\r\na=b`);
  await new Promise<void>((resolve) => leaving.socket.end(resolve));
  leaving.socket.destroy();
  await site.edge.line(({ kind, outcome }) => kind === 'token' && outcome === 'aborted');
  t.notMatch(site.edge.log, /failed inside the edge/, 'a client that leaves is no failure');
  for (const word of [...secrets(), 'granted-t0ken', 'refresh-t0ken']) t.notOk(site.edge.log.includes(word));
});

t.test('challenges and scopes of a further registry', async (t) => {
  const site: LabSite = await startLabSite(t);
  const hub = await startLabSite(t, { primary: { auth: { ...BEARER, service: 'hub' } }, canary: false });
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      own: { urls: [site.primary.url], probe: RARE_PROBE },
      hub: { urls: [hub.primary.url], probe: RARE_PROBE, credentials: 'forward' },
    },
    routes: [
      { prefix: '', push: 'own', pull: [{ upstream: 'own', prefix: 'inner/' }] },
      { prefix: '', registry: 'docker.io', push: 'hub', pull: [{ upstream: 'hub', prefix: 'inner/' }] },
    ],
  });
  for (const client of [edge.http1(), edge.http2()]) {
    t.equal((await client.ask('/v2/')).status, 200, 'the edge’s own registry wants no credentials');
    const ping = await client.ask('/v2/?ns=docker.io');
    t.equal(ping.status, 401, 'docker.io’s does');
    t.equal((await client.ask('/v2/', { headers: { host: 'docker.io' } })).status, 401, 'by Host too');
    const asked = await client.ask(`${MANIFEST}?ns=docker.io`);
    t.equal(challengeOf(asked).scope, 'repository:library/app:pull');
    hub.primary.forget();
    const token = await tokenFor(client, asked);
    const { url = '' } = hub.primary.requests.find(({ kind }) => kind === 'token') ?? {};
    t.match(
      new URLSearchParams(url.split('?')[1]).get('scope'),
      'repository:inner/library/app:pull',
      'in that one’s names',
    );
    const pulled = await client.ask(`${MANIFEST}?ns=docker.io`, { headers: { authorization: bearer(token) } });
    t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'hub' } });
  }
});

t.test('a token service elsewhere gets nothing of a client; the start names it, with the line to add', async (t) => {
  const service = await startTokenService(t);
  const { host } = new URL(service.url);
  const site = await startLabSite(t, {
    primary: { auth: { ...BEARER, realm: service.url } },
    harbor: { credentials: 'forward' },
    fallback: { auth: { ...BEARER, realm: service.url } },
    canary: false,
  });
  const client = site.edge.http1();
  const { realm } = challengeOf(await client.ask(MANIFEST));
  for (const method of ['GET', 'POST']) {
    const headers = { authorization: ANN, 'content-type': 'application/x-www-form-urlencoded' };
    const reply = await client.ask(new URL(realm).pathname, {
      method,
      headers,
      ...(method === 'POST' ? { body: 'a=b' } : {}),
    });
    t.match({ status: reply.status, code: codeOf(reply) }, { status: 503, code: 'UNAVAILABLE' });
    t.match(reply.body.toString(), /upstreams\.harbor\.realmHosts/);
    t.equal(site.leak(reply), undefined);
  }
  t.same(service.asked, [], 'neither with credentials nor without');
  for (const upstream of ['harbor', 'gcr']) {
    const lines = site.edge.log
      .split('\n')
      .filter((line) => line.includes(`upstreams.${upstream}.realmHosts`) && !line.includes('"request"'));
    t.match(
      lines.map((line) => JSON.parse(line)),
      [{ level: 40, upstream, host }],
      'once',
    );
  }
});
