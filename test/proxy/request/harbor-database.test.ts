import t from 'tap';
import { basic, bearer } from '../../helpers/forward-site.ts';
import { ANN, BOB, ROBOT, startHarborUsers } from '../../helpers/harbor-users.ts';
import { codeOf, INNER } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';

/** Longer than any test: Harbor's health never says that its database is down. */
const NEVER = { ms: 3_600_000 };

t.test('users and robots that pull all the time go on while Harbor has no database', async (t) => {
  const { site, client, login, pull } = await startHarborUsers(t);
  for (const one of [ANN, ROBOT]) t.equal(await pull(one), 'harbor');
  await site.primary.faults.on('databaseDown', NEVER);
  for (let round = 0; round < 20; round += 1)
    for (const one of [ANN, ROBOT]) t.equal(await pull(one), 'gcr', `round ${round}`);
  const docker = await login(ANN, '', { offline_token: 'true' });
  t.equal(docker.status, 200, 'docker login with the right password');
  const { refresh_token: refresh } = JSON.parse(docker.body.toString());
  const form = { grant_type: 'refresh_token', refresh_token: refresh, scope: 'repository:library/app:pull' };
  const renewed = await client.ask('/auth/token', { method: 'POST', body: new URLSearchParams(form).toString() });
  t.equal(renewed.status, 200);
  for (const wrong of [basic('ann', 'wrong'), BOB])
    for (const scope of ['', 'repository:library/app:pull'])
      t.equal((await login(wrong, scope, { offline_token: 'true' })).status, 503, 'of others nothing is known');
  t.equal(await pull(ANN), 'gcr', 'whatever others try');
  await site.primary.faults.off();
  await site.edge.upstream('harbor', 'up');
  for (const one of [ANN, ROBOT, BOB]) t.equal(await pull(one), 'harbor');
  t.equal((await login(basic('bob', 'wrong'))).status, 401);
});

t.test('without a canary login no password is called wrong that was right', async (t) => {
  const { site, login, pull } = await startHarborUsers(t, { auth: { canary: 'none' } });
  t.equal(await pull(ANN), 'harbor');
  await site.primary.faults.on('databaseDown', { ms: 4000 });
  t.equal((await login(ANN, '')).status, 503);
  const seen = new Set<string | number>();
  await until(async () => {
    const result = await pull(ANN);
    seen.add(result);
    return result === 'gcr';
  });
  t.notOk(seen.has(401), [...seen].join());
  t.equal((await login(ANN, '')).status, 200, 'once its health names the database');
  t.equal((await login(BOB)).status, 503);
});

t.test('a wrong password under a name neither keeps its user out, nor makes the edge forget anything', async (t) => {
  const { site, login, pull } = await startHarborUsers(t);
  t.equal(await pull(ANN), 'harbor');
  t.equal(await pull(ROBOT), 'harbor');
  const wrong = login(basic('ann', 'wrong'));
  const robbed = login(basic('robot$library+ci', 'wrong'));
  // The name is locked as soon as Harbor has the wrong password.
  await until(() => site.primary.requests.some(({ headers }) => headers.authorization === basic('ann', 'wrong')));
  t.equal(await pull(ROBOT), 'harbor');
  t.equal(await pull(ANN), 'harbor', 'after the lock');
  t.equal((await wrong).status, 401);
  t.equal((await robbed).status, 401);
  await site.primary.faults.on('databaseDown', NEVER);
  t.equal(await pull(ANN), 'gcr', 'nothing is forgotten');
  t.equal(await pull(ROBOT), 'gcr');
});

t.test('guesses are refused and counted, also for a public project, and nothing of them is kept', async (t) => {
  const { site, login } = await startHarborUsers(t, { lab: { lockMs: 10 } });
  site.primary.seed(`${INNER}public/app`, '1', { blobs: [10] });
  const statuses: number[] = [];
  for (let guess = 0; guess < 16; guess += 1) {
    const scope = `repository:${guess % 2 === 0 ? 'library' : 'public'}/app:pull`;
    const reply = await login(basic('bob', `guess ${guess}`), scope, { offline_token: 'true' });
    statuses.push(reply.status);
    t.notMatch(reply.body.toString(), /token"/);
  }
  t.strictSame(statuses, [...Array(10).fill(401), ...Array(6).fill(429)]);
  await site.primary.faults.on('databaseDown', NEVER);
  const after = await login(basic('eve', 'guess 1'), '', { offline_token: 'true' });
  t.not(after.status, 200, 'no wrong password is right in the outage');
});

t.test('what a token with the name of its user does not grant is forgotten at once', async (t) => {
  const { site, users, login, pull } = await startHarborUsers(t);
  for (const one of [ANN, BOB]) t.equal(await pull(one), 'harbor');
  const [ann, bob] = users;
  if (ann) ann.repositories = [`${INNER}elsewhere/`];
  if (bob) bob.password = 'another';
  t.equal(await pull(ANN), 401);
  t.equal((await login(BOB)).status, 401, 'a password that a well Harbor refuses');
  await site.primary.faults.on('databaseDown', NEVER);
  t.equal(await pull(ANN), 503);
  t.equal((await login(ANN, '')).status, 200, 'the password is right still');
  t.equal(await pull(BOB), 503);
  t.equal((await login(BOB, '')).status, 503);
});

t.test('a push of what is not remembered is told the reason, and a read with its token is 503', async (t) => {
  const { site, client, login, pull } = await startHarborUsers(t);
  t.equal(await pull(ANN), 'harbor');
  for (const fault of ['databaseDown', 'down'] as const) {
    await site.primary.faults.on(fault);
    if (fault === 'down') await site.edge.upstream('harbor', 'down');
    t.equal((await login(ANN, 'repository:team/new:pull')).status, 503, `${fault}: a pull`);
    const token = await login(ANN, 'repository:team/new:pull,push');
    t.equal(token.status, 200, fault);
    const headers = { authorization: bearer(token) };
    const ask = (path: string, method: string) => client.ask(`/v2/team/new/${path}`, { method, headers });
    t.equal((await ask(`blobs/${site.blob()}`, 'HEAD')).status, 404, 'so that the push goes on to its refusal');
    const post = await ask('blobs/uploads/', 'POST');
    t.match({ status: post.status, code: codeOf(post) }, { status: 403, code: 'DENIED' });
    t.match(post.body.toString(), /pushes are refused/);
    t.match(await ask('manifests/1', 'GET'), { status: 503, headers: { 'retry-after': /\d/ } }, `${fault}: a read`);
    t.match(await ask(`blobs/${site.blob()}`, 'GET'), { status: 503 });
    t.equal((await login(basic('ann', 'wrong'), 'repository:team/new:pull,push')).status, 503);
    await site.primary.faults.off();
  }
});

t.test('a canary whose secret ended tells nothing, and is reported', async (t) => {
  const { site, users, login, pull } = await startHarborUsers(t);
  t.equal(await pull(ANN), 'harbor');
  const [ann, , , robot] = users;
  if (robot) robot.password = 'renewed';
  if (ann) ann.password = 'changed';
  t.equal((await login(ANN)).status, 503, 'its refusal may be an outage');
  t.equal((await login(basic('ann', 'changed'))).status, 200);
  t.equal((await login(basic('bob', 'wrong'))).status, 401, 'not taken for an outage');
  t.match(site.edge.log, /refuses the login of robot\$probe, the canary of its authority/);
});
