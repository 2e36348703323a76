import t from 'tap';
import { basic, bearer } from '../../helpers/forward-site.ts';
import { ANN, BOB, startHarborUsers } from '../../helpers/harbor-users.ts';
import { codeOf } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';

// Harbor's core answers while its registry is killed (502) or frozen, or its storage hangs.

for (const [name, fault, input] of [
  ['registry killed', 'errors', { status: 502 }],
  ['storage hung, or registry frozen', 'storageHung', {}],
  ['storage gone', 'storageGone', {}],
] as const) {
  t.test(`${name}: users are asked about as long as Harbor answers`, async (t) => {
    const { site, client, login, pull } = await startHarborUsers(t);
    await site.primary.faults.on(fault, input);
    await site.edge.upstream('harbor', 'down');
    t.equal(await pull(BOB), 'gcr', 'a user who never pulled before');
    t.equal((await login(basic('bob', 'wrong'))).status, 401, 'a wrong password is wrong');
    const token = await login(ANN, 'repository:library/app:pull,push');
    const headers = { authorization: bearer(token) };
    const post = await client.ask('/v2/library/app/blobs/uploads/', { method: 'POST', headers });
    t.match({ status: post.status, code: codeOf(post) }, { status: 403, code: 'DENIED' });
    t.match(post.body.toString(), /pushes are refused since/);
    t.equal((await client.ask('/v2/library/none/manifests/1', { headers })).status, 401, 'what she did not ask for');

    await site.primary.faults.on('down');
    t.equal(await pull(BOB), 'gcr', 'remembered');
    t.equal((await login(basic('bob', 'wrong'))).status, 503, 'now nobody can tell');
    const began = performance.now();
    t.equal((await login(basic('eve', 'wrong'))).status, 503);
    t.ok(performance.now() - began < 1000, 'without waiting for an authority that does not answer');
    await site.primary.faults.off('down');
    // Asked again once it answers, while its storage is still gone. What is not remembered cannot be decided before.
    await until(async () => (await login(ANN, 'repository:library/other:pull')).status === 200);
    t.equal((await login(basic('eve', 'wrong'))).status, 401);
    t.equal(await pull(BOB), 'gcr');
  });
}

t.test('a user who was removed stays out while only storage is gone', async (t) => {
  const { site, users, pull } = await startHarborUsers(t);
  t.equal(await pull(ANN), 'harbor');
  await site.primary.faults.on('storageHung');
  await site.edge.upstream('harbor', 'down');
  users.splice(0, 1);
  t.equal(await pull(ANN), 401);
  await site.primary.faults.on('down');
  t.equal(await pull(ANN), 503, 'and is forgotten');
});
