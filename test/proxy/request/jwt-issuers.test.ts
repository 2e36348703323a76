import t from 'tap';
import { basic, bearer, KEY, probe } from '../../helpers/forward-site.ts';
import { AUDIENCE, ISSUER, SigningKey, SUBJECT, serveKeys } from '../../helpers/json-web-keys.ts';
import { startLabSite } from '../../helpers/lab-site.ts';

const MANIFEST = '/v2/library/app/manifests/1';

t.test('pods pull in an outage with new tokens of their service account', async (t) => {
  const key = await SigningKey.make('a', 'RS256');
  const keys = await serveKeys(t, [key.publicKey]);
  const accepted = await key.sign();
  const users = [
    { username: 'token', password: accepted },
    { username: 'robot$probe', password: 'pr0be-secret' },
  ];
  const auth = { mode: 'delegate', issuers: [{ issuer: ISSUER, jwks: keys.url, audience: AUDIENCE }] };
  const site = await startLabSite(t, {
    primary: { auth: { scheme: 'bearer', users } },
    harbor: { credentials: 'forward', probe },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
    config: { auth },
  });
  const client = site.edge.http1();
  const logIn = (authorization: string) =>
    client.ask('/auth/token?service=edge.test&scope=repository:library/app:pull', { headers: { authorization } });
  const pull = (authorization: string) => client.ask(MANIFEST, { headers: { authorization } });
  const served = (upstream: string) => ({ status: 200, headers: { 'x-breakwater-upstream': upstream } });

  const first = await logIn(basic('token', accepted));
  t.match(await pull(bearer(first)), served('harbor'));
  t.equal((await logIn(basic('token', await key.sign()))).status, 401, 'the primary decides while it is there');
  await logIn(basic('token', accepted));

  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  keys.answer.status = 500;
  // The keys outlive a reload in the outage, too.
  await site.edge.reload({ ...site.config, auth: { ...auth, remember: '12h' } });
  await site.edge.upstream('harbor', 'down');
  const second = await logIn(basic('token', await key.sign()));
  t.match(await pull(bearer(second)), served('gcr'), 'a new token');
  t.match(await pull(basic('token', await key.sign())), served('gcr'), 'by Basic');
  t.match(await pull(basic('x', await key.sign())), { status: 503 }, 'the primary never took it under that name');
  t.match(await pull(`Bearer ${await key.sign()}`), { status: 503 }, 'nor as Bearer');
  t.match(await pull(`bearer ${await key.sign({ sub: 'another' })}`), { status: 503 });
  t.match(await pull(`Bearer ${await key.sign({ exp: 1_000_000_000 })}`), { status: 401 });
  t.match(await pull(`Bearer ${await key.sign({ iss: 'https://other' })}`), { status: 401 });
  t.match(await logIn(`Bearer ${await key.sign()}`), { status: 503 });
  t.equal((await logIn(basic('token', 'hunter2'))).status, 503);
  t.ok(keys.asked() <= 2, `${keys.asked()} requests for keys`);
  t.match(site.edge.log, new RegExp(`"user":"jwt:${SUBJECT} \\(${ISSUER}\\)"`));
  t.notMatch(site.edge.log, /"user":"(x|token)"/, "a name beside a JWT is nobody's");
  t.notMatch(site.edge.log, accepted.slice(-20), 'no token is logged');
});
