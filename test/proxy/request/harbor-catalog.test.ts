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
    const headers = { authorization: bearer(await login(authorization, scope)) };
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
