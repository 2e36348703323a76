import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { LabAuth } from '../../src/lab/access.ts';
import { parseChallenges } from '../../src/oci/challenge.ts';
import { PROBE, RARE_PROBE, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import type { Client, Reply } from '../helpers/http1-client.ts';
import { codeOf, type LabSite, type LabSiteOptions, madeUpUser, pushBlob, startLabSite } from '../helpers/lab-site.ts';
import { startOddServer } from '../helpers/odd-server.ts';
import { RawConnection } from '../helpers/raw-connection.ts';

const MANIFEST = '/v2/library/app/manifests/1';
const UPLOADS = '/v2/team/new/blobs/uploads/';
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const ANN = basic('ann', 'Tr0ub4dor&3');
const BEARER: LabAuth = {
  scheme: 'bearer',
  users: [
    { username: 'ann', password: 'Tr0ub4dor&3' },
    { username: 'robot$probe', password: 'pr0be-secret' },
  ],
};
/** A key file is a password with line ends in it. */
const KEY = '{\n  "type": "service_account",\n  "private_key": "-----BEGIN PRIVATE KEY-----\\nc0ffee\\n"\n}\n';
const probe = { ...PROBE, credentials: { username: 'robot$probe', passwordFile: 'x' } };

/** Harbor gets the clients' own credentials, the cloud registry a key file. */
const FORWARD: LabSiteOptions = {
  primary: { harbor: true, auth: BEARER },
  harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor' } },
  fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
  gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
  settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
};

function challengeOf({ headers }: Reply) {
  const [challenge] = parseChallenges(String(headers['www-authenticate']));
  const { realm = '', service, scope } = challenge?.parameters ?? {};
  return { scheme: challenge?.scheme, realm, service, scope };
}

/** Gets a token as a client does that was challenged. */
async function tokenFor(client: Client, reply: Reply, authorization = ANN): Promise<Reply> {
  const { realm, service, scope } = challengeOf(reply);
  const url = new URL(realm);
  url.searchParams.set('service', service ?? '');
  if (scope) url.searchParams.set('scope', scope);
  return client.ask(url.pathname + url.search, { headers: { authorization } });
}

const bearer = (reply: Reply) => `Bearer ${JSON.parse(reply.body.toString()).token}`;

/** What must be in no log: passwords, as they are and as they travel, and tokens. */
function secrets(...more: string[]): string[] {
  return ['Tr0ub4dor', 'pr0be-secret', 'c0ffee', ANN.slice(6), basic('_json_key', KEY).slice(6, 60), ...more];
}

t.test('forward: the client’s challenge, its token, its pull and its push', async (t) => {
  const site = await startLabSite(t, FORWARD);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const ping = await client.ask('/v2/');
    t.match(ping, { status: 401, headers: { 'docker-distribution-api-version': 'registry/2.0' } });
    t.match(challengeOf(ping), {
      scheme: 'bearer',
      service: 'harbor-registry',
      realm: /^https:\/\/edge\.test\/auth\/token\/[\w.-]+$/,
    });
    const asked = await client.ask(MANIFEST);
    t.equal(asked.status, 401);
    t.equal(challengeOf(asked).scope, 'repository:library/app:pull', 'in the client’s names');
    site.primary.forget();
    const token = await tokenFor(client, asked);
    t.match(token, { status: 200, headers: { 'cache-control': 'no-store', 'content-type': /json/ } });
    const fetched = site.primary.requests.find(({ kind }) => kind === 'token');
    t.match(fetched?.url, /scope=repository%3Ainner%2Flibrary%2Fapp%3Apull/, 'in the upstream’s names');
    t.equal(fetched?.headers.authorization, ANN, 'with the client’s own password');
    const pulled = await client.ask(MANIFEST, { headers: { authorization: bearer(token) } });
    t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });

    const list = await client.ask('/v2/_catalog');
    t.match({ status: list.status, scope: challengeOf(list).scope }, { status: 401, scope: 'registry:catalog:*' });
    const lister = bearer(await tokenFor(client, list));
    const listed = await client.ask('/v2/_catalog', { headers: { authorization: lister } });
    t.match(listed, { status: 200, body: /\["library\/app"\]/ }, 'what one may see, for the one who may');
    t.equal((await client.ask('/v2/_catalog')).status, 401, 'is not kept for others');

    const post = await client.ask(UPLOADS, { method: 'POST' });
    t.equal(post.status, 401);
    t.equal(challengeOf(post).scope, 'repository:team/new:pull,push');
    const pushToken = bearer(await tokenFor(client, post));
    const begun = await client.ask(UPLOADS, { method: 'POST', headers: { authorization: pushToken } });
    t.equal(begun.status, 202);
    const wrong = await tokenFor(client, asked, basic('ann', 'wrong-Tr0ub4dor'));
    t.equal(wrong.status, 401, 'a wrong password');
    const stale = await client.ask(MANIFEST, { headers: { authorization: 'Bearer stale-token' } });
    t.match(parseChallenges(String(stale.headers['www-authenticate']))[0]?.parameters.error, 'invalid_token');
    for (const reply of [ping, asked, token, pulled, post, begun, wrong, stale]) t.equal(site.leak(reply), undefined);
    for (const word of secrets(bearer(token).slice(7), pushToken.slice(7), 'stale-token')) {
      t.notOk(site.edge.log.includes(word), 'nothing secret in the log');
    }
  }
  t.equal(site.fallback.requests.filter(({ headers }) => headers.authorization === ANN).length, 0);
});

t.test('a client’s credentials go to nobody else, and the edge’s to nobody else', async (t) => {
  const site = await startLabSite(t, FORWARD);
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  site.fallback.forget();
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const reply = await client.ask(MANIFEST, { headers: { authorization: ANN, cookie: 'sid=1' } });
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    t.equal((await client.ask('/v2/', { headers: { authorization: ANN } })).status, 200, 'the edge answers the ping');
  }
  t.ok(site.fallback.requests.length > 0);
  for (const { headers } of site.fallback.requests) {
    t.notOk(headers.authorization === ANN || headers.cookie, 'nothing of the client’s');
  }
  const tokens = site.fallback.requests.filter(({ kind }) => kind === 'token');
  t.ok(tokens.length <= 2, `${tokens.length} tokens: they are kept`);
  await site.primary.faults.off();
  await site.edge.upstream('harbor', 'up');
  const all = site.primary.requests.map(({ headers }) => headers.authorization);
  t.notOk(all.includes(basic('_json_key', KEY)), 'the key file’s go to gcr only');
});

t.test('the edge’s own credentials, Basic and Bearer, for pulls and pushes', async (t) => {
  for (const scheme of ['basic', 'bearer'] as const) {
    const site = await startLabSite(t, {
      primary: { auth: { scheme, users: [madeUpUser] } },
      harbor: { credentials: { username: madeUpUser.username, passwordFile: 'x' } },
      settings: { secrets: { harbor: { password: madeUpUser.password } } },
    });
    for (const client of [site.edge.http1(), site.edge.http2()]) {
      t.equal((await client.ask('/v2/')).status, 200, 'clients are not challenged');
      t.match(await client.ask(MANIFEST), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
      t.equal((await pushBlob(client, 'team/new', Buffer.from(client.version))).status, 201, `${scheme} push`);
      const mount = `${UPLOADS}?mount=${site.blob()}&from=library/app`;
      t.equal((await client.ask(mount, { method: 'POST', headers: { authorization: ANN } })).status, 201, 'mount');
    }
    t.notOk(
      site.primary.requests.some(({ headers }) => headers.authorization === ANN),
      'never the client’s',
    );
    t.notOk(site.edge.log.includes(madeUpUser.password));
  }
});

t.test('a push with credentials that do not work is 403 with the reason, and loud in the log', async (t) => {
  for (const scheme of ['basic', 'bearer'] as const) {
    const site = await startLabSite(t, {
      primary: { auth: { scheme, users: [madeUpUser, { username: 'probe', password: 'pr0be-secret' }] } },
      harbor: {
        probe: { ...RARE_PROBE, credentials: { username: 'probe', passwordFile: 'x' } },
        credentials: { username: madeUpUser.username, passwordFile: 'x' },
      },
      settings: { secrets: { harbor: { password: 'wrong-s3cret', probePassword: 'pr0be-secret' } } },
    });
    for (const client of [site.edge.http1(), site.edge.http2()]) {
      const reply = await client.ask(UPLOADS, { method: 'POST' });
      t.match(
        { status: reply.status, code: codeOf(reply), complete: reply.complete },
        { status: 403, code: 'DENIED', complete: true },
      );
      t.match(reply.body.toString(), /credentials/);
      t.equal(reply.headers['www-authenticate'], undefined, 'users are not told that their password is wrong');
    }
    t.match(site.edge.log, /"level":50.*credentials do not work/);
    t.notMatch(site.edge.log, /wrong-s3cret/);
    t.equal(site.fallback.writes, 0);
  }
});

t.test('an authority that is dead is an outage, not a wrong password', async (t) => {
  const site = await startLabSite(t, { ...FORWARD, harbor: { ...FORWARD.harbor, probe: { ...probe, ...RARE_PROBE } } });
  await site.primary.faults.on('emptyChallenge401');
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const pull = await client.ask(MANIFEST, { headers: { authorization: ANN } });
    t.match(pull, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    const push = await client.ask(UPLOADS, { method: 'POST', headers: { authorization: ANN } });
    t.match({ status: push.status, code: codeOf(push) }, { status: 403, code: 'DENIED' });
    t.equal((await client.ask('/v2/', { headers: { authorization: ANN } })).status, 200, 'a ping');
  }
});

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
    t.ok(frozen.headersAfter < 2000);
    await site.primary.faults.on('down');
    t.match(await tokenFor(client, asked), { status: 503 });
    await site.primary.faults.off();
  }
});

/** A token service that takes POST: shows what it was asked and answers with the scope that it granted. */
async function startTokenService(owner: { teardown(clean: () => unknown): unknown }) {
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
    harbor: { credentials: 'forward', probe },
    settings: { secrets: { harbor: { probePassword: 'pr0be-secret' } } },
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
  patient.say(`POST ${path} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n`);
  await patient.heard(/^HTTP\/1\.1 100 Continue/);
  patient.say('a=b&c=d');
  await patient.heard(/HTTP\/1\.1 200 /);
  const leaving = await RawConnection.connect(t, site.edge.http1().target);
  leaving.say(`POST ${path} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 700\r\n\r\na=b`);
  await new Promise<void>((resolve) => leaving.socket.end(resolve));
  leaving.socket.destroy();
  await site.edge.line(({ kind, outcome }) => kind === 'token' && outcome === 'aborted');
  t.notMatch(site.edge.log, /failed inside the edge/, 'a client that leaves is nobody’s failure');
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

t.test('error bodies speak in the client’s names', async (t) => {
  const odd = await startOddServer(t, (socket, head) => {
    const denied = head.startsWith('GET') ? '401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"' : '400 Bad Request';
    const name = /v2\/(.*)\/(manifests|blobs)/.exec(head)?.[1];
    const detail = [{ Type: 'repository', Name: name, Action: 'pull' }];
    const body = JSON.stringify({
      errors: [{ code: 'UNAUTHORIZED', message: `no access to ${name}, or ${name}:1`, detail }],
    });
    socket.write(
      `HTTP/1.1 ${denied}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, credentials: 'forward' } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd', prefix: 'inner/' }] }],
  });
  for (const client of [edge.http1(), edge.http2()]) {
    for (const [method, status] of [
      ['GET', 401],
      ['PUT', 400],
    ] as const) {
      const reply = await client.ask(MANIFEST, { method, ...(method === 'PUT' ? { body: '{}' } : {}) });
      t.match(reply, { status, complete: true });
      t.strictSame(JSON.parse(reply.body.toString()).errors[0], {
        code: 'UNAUTHORIZED',
        message: 'no access to library/app, or library/app:1',
        detail: [{ Type: 'repository', Name: 'library/app', Action: 'pull' }],
      });
    }
  }
});
