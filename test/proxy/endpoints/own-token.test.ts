import bcrypt from 'bcrypt';
import t from 'tap';
import { parseChallenges } from '../../../src/oci/challenge.ts';
import { basic, bearer, challengeOf, tokenFor } from '../../helpers/forward-site.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import {
  clientRequests,
  codeOf,
  type LabSite,
  type LabSiteOptions,
  pushBlob,
  startLabSite,
} from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

const MANIFEST = '/v2/library/app/manifests/1';
const ANN = basic('ann', 'Tr0ub4dor&3');
const BOB = basic('bob', 'hunter2');
const COST = 4;

const AUTH = {
  mode: 'htpasswd',
  htpasswdFile: 'users',
  groups: { team: ['ann'] },
  access: { '@team': ['library/** pull,push', 'team/* pull,push,delete'], '*': ['public/** pull'] },
};

async function start(owner: Owner, auth: object = {}, options: LabSiteOptions = {}): Promise<LabSite> {
  const users = { ann: await bcrypt.hash('Tr0ub4dor&3', COST), bob: await bcrypt.hash('hunter2', COST) };
  const config = { auth: { ...AUTH, ...auth }, ...options.config };
  return startLabSite(owner, { ...options, config, settings: { users } });
}

/** The parameters of the first challenge. */
const told = ({ headers }: Reply) => parseChallenges(String(headers['www-authenticate']))[0]?.parameters ?? {};

/** A token for these scopes. */
async function token(client: Client, authorization: string, ...scopes: string[]): Promise<string> {
  const query = new URLSearchParams([['service', 'edge.test'], ...scopes.map((scope) => ['scope', scope])]);
  const reply = await client.ask(`/auth/token?${query}`, { headers: { authorization } });
  t.equal(reply.status, 200, 'a token');
  return bearer(reply);
}

const post = (client: Client, form: Record<string, string>) =>
  client.ask('/auth/token', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });

t.test('a name and password with the request itself open what a token would, and are limited like it', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  const ask = (path: string, authorization: string, method = 'GET') =>
    client.ask(path, { method, headers: { authorization } });
  const uploads = '/v2/library/app/blobs/uploads/';
  t.equal((await ask(uploads, ANN, 'POST')).status, 202);
  t.match(told(await ask(uploads, BOB, 'POST')), { error: 'insufficient_scope' });
  t.match(told(await ask(MANIFEST, BOB)), { error: 'insufficient_scope' });
  t.match(told(await ask(MANIFEST, ANN, 'DELETE')), { error: 'insufficient_scope' }, 'no rule lets ann delete there');
  t.same(JSON.parse((await ask('/v2/_catalog', ANN)).body.toString()).repositories, ['library/app']);
  t.same(JSON.parse((await ask('/v2/_catalog', BOB)).body.toString()).repositories, []);
  const guesses: number[] = [];
  for (let guess = 0; guess < 12; guess += 1) guesses.push((await ask(MANIFEST, basic('bob', `guess${guess}`))).status);
  t.match([guesses[0], guesses.at(-1)], [401, 429]);
  t.notMatch(site.edge.log, /Tr0ub4dor|hunter2|guess/);
});

t.test('the way of every client: challenge, token, pull; over either protocol', async (t) => {
  const site = await start(t);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const ping = await client.ask('/v2/');
    t.match(ping, { status: 401, headers: { 'docker-distribution-api-version': 'registry/2.0' } });
    t.match(challengeOf(ping), { scheme: 'bearer', realm: 'https://edge.test/auth/token', service: 'edge.test' });
    t.notOk('error' in told(ping), 'a request without a token has no bad token');
    const asked = await client.ask(MANIFEST);
    t.match({ status: asked.status, code: codeOf(asked) }, { status: 401, code: 'UNAUTHORIZED' });
    t.equal(told(asked).scope, 'repository:library/app:pull');
    const got = await tokenFor(client, asked, ANN);
    t.match(got, { status: 200, headers: { 'cache-control': 'no-store' } });
    t.match(JSON.parse(got.body.toString()), { expires_in: 3600, issued_at: /^\d{4}-.*Z$/, access_token: /^\S+$/ });
    const headers = { authorization: bearer(got) };
    t.equal((await client.ask('/v2/', { headers })).status, 200);
    t.match(await client.ask(MANIFEST, { headers }), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.match(await client.ask(MANIFEST, { method: 'HEAD', headers }), { status: 200 });
    t.match(told(await client.ask(MANIFEST, { headers: { authorization: 'Bearer nonsense' } })), {
      error: 'invalid_token',
    });
    t.equal((await client.ask(MANIFEST, { headers: { authorization: ANN } })).status, 200, 'curl -u');
    t.match(told(await client.ask(MANIFEST, { headers: { authorization: basic('ann', 'x') } })), {
      error: 'invalid_token',
    });
  }
  const passed = clientRequests(site.primary).flatMap(({ headers }) => headers.authorization ?? []);
  t.strictSame(passed, [], 'no upstream sees what is for the edge');
  t.match(site.edge.log, /"user":"ann"/);
  t.notMatch(site.edge.log, /Tr0ub4dor|Bearer|eyJ/, 'no secret is in the log');
});

t.test('a token has only what is both asked for and allowed', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  const ask = async (path: string, authorization: string, method = 'GET') =>
    client.ask(path, { method, headers: { authorization } });
  const pull = await token(client, ANN, 'repository:library/app:pull');
  t.equal((await ask(MANIFEST, pull)).status, 200);
  const start1 = await ask('/v2/library/app/blobs/uploads/', pull, 'POST');
  t.match({ status: start1.status, code: codeOf(start1) }, { status: 401, code: 'DENIED' });
  t.match(told(start1), { error: 'insufficient_scope', scope: 'repository:library/app:pull,push' });
  t.equal((await ask('/v2/library/other/tags/list', pull)).status, 401, 'another repository');
  const narrow = await token(client, BOB, 'repository:library/app:pull,push');
  const denied = await ask(MANIFEST, narrow);
  t.match(
    { status: denied.status, ...told(denied) },
    { status: 401, error: 'insufficient_scope' },
    'bob is granted nothing of it',
  );
  t.match(JSON.parse(denied.body.toString()), {
    errors: [{ code: 'DENIED', message: 'the token of bob does not allow: pull library/app' }],
  });
  t.match(told(await ask(MANIFEST, narrow, 'HEAD')), { error: 'insufficient_scope' }, 'containerd stops at it');
  const looked = await ask(`/v2/library/app/blobs/${site.blob()}`, narrow, 'HEAD');
  t.equal(looked.status, 401);
  t.equal(told(looked).error, undefined, 'skopeo shows such an error and the missing body as two');
  const push = await token(client, ANN, 'repository:library/app:push,pull');
  t.equal((await ask('/v2/library/app/blobs/uploads/', push, 'POST')).status, 202);
  t.equal((await ask(MANIFEST, push, 'DELETE')).status, 401, 'nor may ann delete there');
  const mount = `/v2/library/app/blobs/uploads/?mount=${site.blob()}&from=secret/app`;
  t.match(told(await ask(mount, push, 'POST')), { scope: /repository:secret\/app:pull/ }, 'what is mounted is pulled');
  t.equal((await pushBlob(withToken(client, push), 'library/app', Buffer.from('abc'))).status, 201);
  t.equal(
    site.fallback.requests.some(({ method }) => method === 'POST'),
    false,
  );
});

/** A client that brings a token with everything. */
function withToken(client: Client, authorization: string): Client {
  return {
    version: client.version,
    ask: (path, ask = {}) => client.ask(path, { ...ask, headers: { ...ask.headers, authorization } }),
    close: () => client.close(),
  };
}

t.test('docker login: a refresh token in place of the password, which works', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  const query = 'service=edge.test&offline_token=true&account=ann&client_id=docker';
  const login = await client.ask(`/auth/token?${query}`, { headers: { authorization: ANN } });
  const { refresh_token: refresh, token: access } = JSON.parse(login.body.toString());
  t.match({ refresh, access }, { refresh: String, access: String });
  const scope = 'repository:library/app:pull';
  const renewed = await post(client, {
    grant_type: 'refresh_token',
    refresh_token: refresh,
    service: 'edge.test',
    scope,
  });
  t.match(JSON.parse(renewed.body.toString()), { access_token: String, scope });
  t.equal((await client.ask(MANIFEST, { headers: { authorization: bearer(renewed) } })).status, 200);
  t.equal((await client.ask(MANIFEST, { headers: { authorization: `Bearer ${refresh}` } })).status, 401);
  const confused = await post(client, {
    grant_type: 'refresh_token',
    refresh_token: access,
    service: 'edge.test',
    scope,
  });
  t.equal(confused.status, 401, 'an access token brings no new ones');
  const password = { grant_type: 'password', username: 'ann', password: 'Tr0ub4dor&3', service: 'edge.test' };
  t.equal((await post(client, { ...password, scope })).status, 200);
  t.equal((await post(client, { ...password, password: 'no', scope })).status, 401);
  await site.edge.reload(site.config, { users: { ann: await bcrypt.hash('another', COST) } });
  const late = await post(client, { grant_type: 'refresh_token', refresh_token: refresh, service: 'edge.test', scope });
  t.equal(late.status, 401, 'with another password it is worth nothing');
  t.equal(
    (await client.ask(MANIFEST, { headers: { authorization: bearer(renewed) } })).status,
    401,
    'nor is what it brought',
  );
});

t.test('in an outage the fallback follows the same rules', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  const ann = await token(client, ANN, 'repository:library/app:pull');
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  const pulled = await client.ask(MANIFEST, { headers: { authorization: ann } });
  t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  const bob = await token(client, BOB, 'repository:library/app:pull');
  t.equal((await client.ask(MANIFEST, { headers: { authorization: bob } })).status, 401);
  t.equal((await client.ask(MANIFEST)).status, 401);
});

t.test('the catalog shows a user what she may pull', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  const refused = await client.ask('/v2/_catalog');
  t.match(told(refused), { scope: 'registry:catalog:*' });
  const list = async (who: string) => {
    const headers = { authorization: await token(client, who, 'registry:catalog:*') };
    return JSON.parse((await client.ask('/v2/_catalog', { headers })).body.toString()).repositories;
  };
  t.strictSame(await list(ANN), ['library/app']);
  t.strictSame(await list(BOB), []);
});

t.test('networks that may pull without credentials, on routes that say so', async (t) => {
  const anonymous = ['127.0.0.0/8'];
  const closed = await start(t, { anonymous });
  t.equal((await closed.edge.http1().ask(MANIFEST)).status, 401, 'the route does not say so');
  const site = await start(t, { anonymous }, { route: { anonymous: true } });
  const client = site.edge.http1();
  t.equal((await client.ask('/v2/')).status, 401, 'a client with credentials must be asked for them');
  t.equal((await client.ask(MANIFEST)).status, 200, 'none are needed');
  const scope = 'repository:library/app:pull,push';
  const got = await client.ask(`/auth/token?service=edge.test&scope=${scope}`);
  const headers = { authorization: bearer(got) };
  t.equal((await client.ask(MANIFEST, { headers })).status, 200, 'an anonymous token');
  const start1 = await client.ask('/v2/library/app/blobs/uploads/', { method: 'POST', headers });
  t.equal(start1.status, 401, 'which does not allow pushes');
  t.equal((await client.ask('/v2/library/app/blobs/uploads/', { method: 'POST' })).status, 401);
  t.equal((await client.ask('/v2/_catalog', { headers })).status, 401, 'nor see the names');
});

t.test('only load balancers may name the client', async (t) => {
  const options = (trustedProxies: string[]) => ({ route: { anonymous: true }, config: { trustedProxies } });
  const headers = { 'x-forwarded-for': '10.1.2.3' };
  const trusting = await start(t, { anonymous: ['10.0.0.0/8'] }, options(['127.0.0.1']));
  t.equal((await trusting.edge.http1().ask(MANIFEST, { headers })).status, 200);
  const spoofed = { 'x-forwarded-for': '10.1.2.3, 192.0.2.7' };
  t.equal(
    (await trusting.edge.http1().ask(MANIFEST, { headers: spoofed })).status,
    401,
    'further left says the client',
  );
  const alone = await start(t, { anonymous: ['10.0.0.0/8'] }, options([]));
  t.equal((await alone.edge.http1().ask(MANIFEST, { headers })).status, 401);
});

t.test('bad requests for tokens', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  const ask = async (path: string, ask = {}) => (await client.ask(path, ask)).status;
  t.equal(await ask('/auth/token'), 401, 'no credentials');
  t.equal(await ask('/auth/token', { headers: { authorization: 'Basic !!' } }), 401);
  t.equal(await ask('/auth/token', { method: 'PUT', body: 'x' }), 405);
  t.equal(await ask('/auth/token?service=other.test', { headers: { authorization: ANN } }), 400);
  t.equal(await ask('/auth/token?scope=nonsense', { headers: { authorization: ANN } }), 400);
  t.equal((await post(client, { grant_type: 'client_credentials' })).status, 400);
  const large = await client.ask('/auth/token', { method: 'POST', body: `a=${'x'.repeat(100_000)}` });
  t.equal(large.status, 413);
  const tries = await Promise.all(
    Array.from({ length: 14 }, (_, guess) =>
      ask('/auth/token', { headers: { authorization: basic('ann', `no ${guess}`) } }),
    ),
  );
  t.ok(tries.every((status) => status === 401 || status === 429));
  const held = await client.ask('/auth/token', { headers: { authorization: basic('ann', 'again no') } });
  t.match(held, { status: 429, headers: { 'retry-after': /^\d+$/ } }, 'an address that guesses has to wait');
  const open = await startLabSite(t);
  t.equal((await open.edge.http1().ask('/auth/token')).status, 404, 'there is none in auth.mode: open');
});
