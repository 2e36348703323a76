import t from 'tap';
import { basic, bearer, challengeOf } from '../../helpers/forward-site.ts';
import { ANN, ROBOT, startHarborUsers } from '../../helpers/harbor-users.ts';

const CATALOG = '/v2/_catalog';
const PULL = 'repository:library/app:pull';
const BOTH = `registry:catalog:* ${PULL}`;

t.test('the catalog of Harbor, which takes no tokens, to whom Harbor shows it', async (t) => {
  const { site, client, login } = await startHarborUsers(t);
  const rows: [user: string, authorization: string, scope: string, status: number][] = [
    ['an administrator', ANN, 'registry:catalog:*', 200],
    ['an administrator', ANN, BOTH, 200],
    ['an administrator', ANN, PULL, 401],
    ['a robot', ROBOT, 'registry:catalog:*', 401],
    ['a robot', ROBOT, BOTH, 401],
  ];
  for (const [user, authorization, scope, status] of rows) {
    const token = await login(authorization, scope);
    const headers = { authorization: bearer(token) };
    const isForCatalog = scope.includes('catalog');
    t.equal(JSON.parse(token.body.toString()).expires_in <= 60, isForCatalog, 'with the password in it, only a minute');
    site.primary.forget();
    const reply = await client.ask(CATALOG, { headers });
    t.equal(reply.status, status, `${user}, ${scope}`);
    if (status === 200) t.same(JSON.parse(reply.body.toString()), { repositories: ['library/app'] });
    else t.match(challengeOf(reply), { scheme: 'bearer', realm: 'https://edge.test/auth/token' });
    if (!scope.includes(PULL)) continue;
    t.equal((await client.ask('/v2/library/app/manifests/1', { headers })).status, 200, `${user}: a pull`);
    const passwords = site.primary.requests.filter(({ headers }) => headers.authorization === authorization);
    t.ok(
      passwords.every(({ url }) => url.startsWith(CATALOG)),
      'a password goes nowhere but to the catalog',
    );
  }
  t.equal((await client.ask(CATALOG)).status, 401);
  t.equal((await login(basic('ann', 'wrong'), BOTH)).status, 401);
  t.notMatch(site.edge.log, /Tr0ub4dor|r0bot-secret/);

  await site.primary.faults.on('databaseDown', { ms: 0 });
  const headers = { authorization: bearer(await login(ANN, BOTH)) };
  t.not((await client.ask(CATALOG, { headers })).status, 200, 'no upstream knows in an outage who may see it');
  t.match(await client.ask('/v2/library/app/manifests/1', { headers }), {
    headers: { 'x-breakwater-upstream': 'gcr' },
  });
});

t.test('a client that sends its name and password with the request itself', async (t) => {
  const { site, client } = await startHarborUsers(t);
  const ask = (path: string, authorization: string) => client.ask(path, { headers: { authorization } });
  const wrong = basic('ann', 'wrong');
  const tags = '/v2/library/app/tags/list';
  const rows: [what: string, path: string, authorization: string, status: number][] = [
    ['the catalog, an administrator', CATALOG, ANN, 200],
    ['the catalog, a page of it', `${CATALOG}?n=1`, ANN, 200],
    ['the catalog, a robot', CATALOG, ROBOT, 401],
    ['the catalog, a wrong password', CATALOG, wrong, 401],
    ['tags', tags, ROBOT, 200],
    ['tags, a wrong password', tags, wrong, 401],
    ['tags of what is not theirs', '/v2/other/app/tags/list', ROBOT, 401],
    ['a manifest', '/v2/library/app/manifests/1', ANN, 200],
    ['the version', '/v2/', ANN, 200],
    ['the version, a wrong password', '/v2/', wrong, 401],
    ['no credentials at all', tags, 'Basic !', 401],
  ];
  for (const [what, path, authorization, status] of rows) {
    const reply = await ask(path, authorization);
    t.equal(reply.status, status, what);
    if (status === 401) t.match(challengeOf(reply), { scheme: 'bearer', realm: 'https://edge.test/auth/token' }, what);
  }
  t.same(JSON.parse((await ask(CATALOG, ANN)).body.toString()), { repositories: ['library/app'] });
  t.notMatch(site.edge.log, /Tr0ub4dor|r0bot-secret/);

  await site.primary.faults.on('databaseDown', { ms: 0 });
  t.equal((await ask(CATALOG, ANN)).status, 503, 'who may list it cannot be told now');
  t.match(await ask('/v2/library/app/manifests/1', ANN), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
});
