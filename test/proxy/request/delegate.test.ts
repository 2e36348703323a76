import t from 'tap';
import type { LabAuth } from '../../../src/lab/access.ts';
import { basic, bearer, challengeOf, KEY, probe } from '../../helpers/forward-site.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { clientRequests, codeOf, INNER, type LabSite, pushBlob, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

const ANN = basic('ann', 'Tr0ub4dor&3');
const BOB = basic('bob', 'hunter2');
const USERS: LabAuth['users'] = [
  { username: 'ann', password: 'Tr0ub4dor&3' },
  { username: 'bob', password: 'hunter2', repositories: [`${INNER}public/`] },
  { username: 'robot$probe', password: 'pr0be-secret' },
];
const SCOPE = 'repository:library/app:pull';

const MANIFEST = '/v2/library/app/manifests/1';

function start(owner: Owner, auth: Partial<LabAuth> = {}, more: object = {}): Promise<LabSite> {
  return startLabSite(owner, {
    primary: { harbor: true, auth: { scheme: 'bearer', users: USERS, ...auth } },
    harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor' } },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
    config: { auth: { mode: 'delegate', ...more } },
  });
}

async function ask(client: Client, authorization: string, scope = SCOPE): Promise<Reply> {
  const query = new URLSearchParams([
    ['service', 'edge.test'],
    ['scope', scope],
  ]);
  return client.ask(`/auth/token?${query}`, { headers: { authorization } });
}

const pull = (client: Client, token: Reply) => client.ask(MANIFEST, { headers: { authorization: bearer(token) } });

for (const [name, auth] of Object.entries({ bearer: {}, basic: { scheme: 'basic' as const } })) {
  t.test(`the primary decides, by ${name}; what it granted is remembered`, async (t) => {
    const site = await start(t, auth);
    const client = site.edge.http1();
    const ping = await client.ask('/v2/');
    t.match(challengeOf(ping), { scheme: 'bearer', realm: 'https://edge.test/auth/token', service: 'edge.test' });

    const ann = await ask(client, ANN, 'repository:library/app:pull,push');
    t.equal(ann.status, 200);
    t.match(await pull(client, ann), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
    const pushed = await pushBlob(
      {
        ...client,
        version: client.version,
        close: () => undefined,
        ask: (path, given = {}) =>
          client.ask(path, { ...given, headers: { ...given.headers, authorization: bearer(ann) } }),
      },
      'library/app',
      Buffer.from('pushed by ann'),
    );
    t.equal(pushed.status, 201, 'with the user’s own credentials');
    const bob = await ask(client, BOB);
    t.equal(bob.status, 200, 'he has a name');
    t.equal((await pull(client, bob)).status, 401, 'but may not');
    t.equal((await ask(client, basic('ann', 'wrong'))).status, 401);
    t.equal((await ask(client, basic('nobody', 'x'))).status, 401);

    await site.primary.faults.on('down');
    await site.edge.upstream('harbor', 'down');
    t.match(await pull(client, ann), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, 'the token goes on');
    const again = await ask(client, ANN, 'repository:library/app:pull,push');
    t.match(again, { status: 200 }, 'and another is given');
    t.match(await pull(client, again), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    const post = await client.ask('/v2/library/app/blobs/uploads/', {
      method: 'POST',
      headers: { authorization: bearer(again) },
    });
    t.match({ status: post.status, code: codeOf(post) }, { status: 403, code: 'DENIED' }, 'that opens no push');
    t.match(post.body.toString(), /pushes are refused since .*harbor cannot take them/, 'and its client shows why');
    const unknown = await ask(client, ANN, 'repository:library/other:pull');
    t.match({ status: unknown.status, code: codeOf(unknown) }, { status: 503, code: 'UNAVAILABLE' });
    t.match(unknown.headers['retry-after'], /^\d+$/);
    t.equal((await ask(client, BOB)).status, 503, 'what bob may not is not known to be allowed');
    t.equal((await ask(client, basic('ann', 'wrong'))).status, 503, 'no password is called wrong now');
    const catalog = await client.ask('/v2/_catalog', { headers: { authorization: bearer(again) } });
    t.not(catalog.status, 200, 'no client sees the catalog of the fallback');
    t.equal(
      clientRequests(site.fallback).some(({ headers }) => headers.authorization === ANN),
      false,
    );

    await site.primary.faults.off('down');
    await site.edge.upstream('harbor', 'up');
    const stale = await pull(client, again);
    t.ok(stale.status === 200 || stale.status === 401, 'a token of the outage brings nothing to the primary');
    if (stale.status === 401)
      t.match(challengeOf(stale), { realm: 'https://edge.test/auth/token' }, 'and its bearer is sent for another');
    t.equal((await pull(client, await ask(client, ANN))).status, 200);
    t.notMatch(site.edge.log, /Tr0ub4dor|hunter2|eyJ/, 'no secret is in the log');
    t.match(site.edge.log, /"grant":"remembered"/, 'what was given on memory is');
    const metrics = (await site.edge.admin('/metrics')).body;
    t.match(metrics, /^breakwater_tokens_total\{result="remembered"\} [1-9]/m);
    t.match(metrics, /^breakwater_tokens_total\{result="refused"\} 2$/m);
    t.match(metrics, /^breakwater_tokens_total\{result="unavailable"\} 3$/m);
  });
}

t.test('an authority that hangs, or whose database is dead', async (t) => {
  for (const fault of ['frozen', 'databaseDown'] as const) {
    const site = await start(t);
    const client = site.edge.http1();
    t.equal((await ask(client, ANN)).status, 200);
    await site.primary.faults.on(fault);
    const token = await ask(client, ANN);
    t.equal(token.status, 200, `${fault}: what was granted is honoured`);
    t.match(await pull(client, token), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, fault);
    t.equal((await ask(client, basic('ann', 'wrong'))).status, 503, `${fault}: nothing else is known`);
    const headers = { authorization: bearer(token) };
    const post = await client.ask('/v2/library/app/blobs/uploads/', { method: 'POST', headers });
    t.match({ status: post.status, code: codeOf(post) }, { status: 403, code: 'DENIED' }, `${fault}: no push`);
    t.match(post.body.toString(), /pushes are refused/);
    await site.primary.faults.off(fault);
  }
});

t.test('docker login: the refresh token works in an outage too', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  const login = await client.ask('/auth/token?service=edge.test&offline_token=true', {
    headers: { authorization: ANN },
  });
  const { refresh_token: refresh } = JSON.parse(login.body.toString());
  const renew = () =>
    client.ask('/auth/token', {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: refresh,
        service: 'edge.test',
        scope: SCOPE,
      }).toString(),
    });
  t.equal((await pull(client, await renew())).status, 200);
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  t.equal((await pull(client, await renew())).status, 200);
  t.equal((await client.ask(MANIFEST, { headers: { authorization: `Bearer ${refresh}` } })).status, 401);
});

t.test('only repository names and actions go to the primary', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  site.primary.forget();
  for (const scope of [
    'repository:../../api/v2.0/users:pull',
    'repository:library/app/../../secret:pull',
    'repository:library/app?x:pull',
    'registry:everything:*',
    'repository:library/app:hack',
  ])
    t.match(await ask(client, ANN, scope), { status: 200 }, `${scope}: the password is right, and opens nothing`);
  const urls = clientRequests(site.primary).map(({ url }) => url);
  t.notOk(
    urls.some((url) => /secret|users|everything|hack|\.\./.test(decodeURIComponent(url))),
    urls.join(' '),
  );
});

t.test('a reload takes effect for the hosts that passwords may go to', async (t) => {
  const site = await startLabSite(t, {
    primary: { auth: { scheme: 'bearer', users: USERS, realm: 'http://localhost:1/token' } },
    harbor: { credentials: 'forward' },
    canary: false,
    config: { auth: { mode: 'delegate' } },
  });
  const client = site.edge.http1();
  t.match((await ask(client, ANN)).body.toString(), /malformed/, 'not to a host that is not named');
  await site.edge.reload({ ...site.config, auth: { mode: 'delegate', realmHosts: ['localhost'] } });
  t.match((await ask(client, ANN)).body.toString(), /connect/, 'a named host is asked; here nothing listens');
});

t.test('remember: 0s remembers nothing', async (t) => {
  const site = await start(t, {}, { remember: '0s' });
  const client = site.edge.http1();
  t.equal((await ask(client, ANN)).status, 200);
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  t.equal((await ask(client, ANN)).status, 503);
});
