import t from 'tap';
import { basic } from '../../helpers/forward-site.ts';
import { ANN, BOB, startHarborUsers } from '../../helpers/harbor-users.ts';
import { clientRequests, startLabSite } from '../../helpers/lab-site.ts';

// `own-token.test.ts` has mode htpasswd, and `harbor-catalog.test.ts` who may what with delegate.
const MANIFEST = '/v2/library/app/manifests/1';
const BLOB_START = '/v2/library/app/blobs/uploads/';

t.test('open: the name and password reach the upstream that takes those of clients, and no other', async (t) => {
  const auth = { scheme: 'basic' as const, users: [{ username: 'ann', password: 'Tr0ub4dor&3' }] };
  const site = await startLabSite(t, {
    primary: { auth },
    harbor: { credentials: 'forward', probe: { allowEmpty: true } },
    canary: false,
  });
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const ask = (path: string, method: string, authorization: string) =>
      client.ask(path, { method, headers: { authorization } });
    t.match(await ask(MANIFEST, 'GET', ANN), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.equal((await ask(BLOB_START, 'POST', ANN)).status, 202, 'a push');
    t.equal((await ask(MANIFEST, 'GET', basic('ann', 'wrong'))).status, 401);
  }
  t.equal(
    clientRequests(site.fallback).some(({ headers }) => headers.authorization !== undefined),
    false,
  );
});

t.test('open: where no upstream takes those of clients, they go nowhere', async (t) => {
  const site = await startLabSite(t);
  const reply = await site.edge.http1().ask(MANIFEST, { headers: { authorization: basic('ann', 'any') } });
  t.equal(reply.status, 200);
  const all = [...site.primary.requests, ...site.fallback.requests];
  t.equal(
    all.some(({ headers }) => headers.authorization !== undefined),
    false,
  );
});

t.test('delegate: through the gate, the memory and the limits of /auth/token', async (t) => {
  const { site, client, login } = await startHarborUsers(t);
  const ask = (authorization: string, path = MANIFEST, method = 'GET') =>
    client.ask(path, { method, headers: { authorization } });
  const asked = async (what: () => Promise<unknown>) => {
    site.primary.forget();
    await what();
    return site.primary.requests.filter(({ headers }) => headers.authorization === BOB).length;
  };
  t.equal((await ask(ANN, BLOB_START, 'POST')).status, 202, 'a push');
  await asked(() => login(BOB));
  t.equal(await asked(() => ask(BOB)), await asked(() => login(BOB)), 'the upstream is asked as often as for a token');
  // Harbor takes its time for each.
  const guesses = await Promise.all(Array.from({ length: 24 }, (_, guess) => ask(basic('eve', `guess${guess}`))));
  t.ok(guesses.every(({ status }) => status === 401 || status === 429));
  t.equal((await ask(basic('eve', 'another'))).status, 429);
  t.equal((await login(basic('eve', 'another'))).status, 429, 'they count for a token too');
  await site.primary.faults.on('down');
  const served = { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } };
  t.match(await ask(BOB), served, 'in an outage, by what is remembered');
});
