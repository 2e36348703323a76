import bcrypt from 'bcrypt';
import t from 'tap';
import type { LabAuth } from '../../../src/lab/access.ts';
import { basic, bearer, challengeOf, KEY, probe } from '../../helpers/forward-site.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { codeOf, type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

const ANN = basic('ann', 'Tr0ub4dor&3');
const HAL = basic('hal@break-glass', 'fire axe');
const USERS: LabAuth['users'] = [
  { username: 'ann', password: 'Tr0ub4dor&3' },
  { username: 'hal', password: 'another one' },
  { username: 'robot$probe', password: 'pr0be-secret' },
];
const HASHES = { 'hal@break-glass': await bcrypt.hash('fire axe', 4) };
const AUTH = { mode: 'delegate', breakGlassFile: 'users', access: { 'hal@break-glass': ['library/app pull,push'] } };
const MANIFEST = '/v2/library/app/manifests/1';

function start(owner: Owner, auth: Partial<LabAuth> = {}): Promise<LabSite> {
  return startLabSite(owner, {
    primary: { harbor: true, auth: { scheme: 'bearer', users: USERS, ...auth } },
    harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor' } },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } }, users: HASHES },
    config: { auth: AUTH },
  });
}

function ask(client: Client, authorization: string, scope = 'repository:library/app:pull'): Promise<Reply> {
  const query = new URLSearchParams([
    ['service', 'edge.test'],
    ['scope', scope],
    ['offline_token', 'true'],
  ]);
  return client.ask(`/auth/token?${query}`, { headers: { authorization } });
}

const pull = (client: Client, token: Reply, path = MANIFEST) =>
  client.ask(path, { headers: { authorization: bearer(token) } });

/** Whether anything of these credentials went to a registry. */
const saw = (site: LabSite, authorization: string) =>
  [site.primary, site.fallback].some(({ requests }) =>
    requests.some(({ headers }) => headers.authorization === authorization),
  );

for (const scheme of ['bearer', 'basic'] as const) {
  t.test(`break-glass users are there for the outage, and only then (${scheme})`, async (t) => {
    const site = await start(t, { scheme });
    const client = site.edge.http1();
    const before = await ask(client, HAL);
    t.match(before, { status: 401, body: /hal@break-glass may log in only while harbor is unreachable/ });
    t.match(await ask(client, basic('hal@break-glass', 'wrong')), { status: 401, body: /wrong user name or password/ });
    t.match(await ask(client, basic('hal@Break-Glass', 'fire axe')), { status: 401, body: /wrong user/ });
    t.match(await ask(client, basic('eve@break-glass', 'fire axe')), { status: 401, body: /wrong user/ });
    t.equal((await ask(client, basic('hal', 'another one'))).status, 200, 'a like name at the primary is another user');
    t.equal((await ask(client, basic('hal', 'fire axe'))).status, 401);

    await site.primary.faults.on('down');
    await site.edge.upstream('harbor', 'down');
    const token = await ask(client, HAL, 'repository:library/app:pull,push repository:library/other:pull');
    t.equal(token.status, 200);
    const { expires_in: seconds, refresh_token: refresh } = JSON.parse(token.body.toString());
    t.equal(seconds, 300);
    t.equal(refresh, undefined);
    t.match(await pull(client, token), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    const post = await client.ask('/v2/library/app/blobs/uploads/', {
      method: 'POST',
      headers: { authorization: bearer(token) },
    });
    t.match(
      { status: post.status, code: codeOf(post) },
      { status: 403, code: 'DENIED' },
      'no push, whatever the rule says',
    );
    t.equal((await pull(client, token, '/v2/library/other/manifests/1')).status, 401, 'nor what no rule allows');
    t.equal((await ask(client, basic('hal@break-glass', 'wrong'))).status, 401, 'what is wrong is known to be');
    t.equal((await ask(client, basic('eve@break-glass', 'x'))).status, 401);
    t.equal((await ask(client, basic('hal', 'fire axe'))).status, 503, 'of others nothing is known');

    await site.primary.faults.off('down');
    await site.edge.upstream('harbor', 'up');
    const stale = await pull(client, token);
    t.equal(stale.status, 401, 'it is worth nothing once the primary can be asked');
    t.match(stale.headers['www-authenticate'], /error="invalid_token"/);
    t.equal(challengeOf(stale).realm, 'https://edge.test/auth/token');
    t.equal((await ask(client, HAL)).status, 401);
    t.equal(saw(site, HAL), false, 'no registry has ever seen the password');
    t.notMatch(site.edge.log, /fire axe|eyJ/);
  });
}

t.test('each token of a break-glass user, and each remembered grant, is logged and counted', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  t.equal((await ask(client, ANN)).status, 200);
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  t.equal((await ask(client, HAL, 'repository:library/app:pull repository:library/other:pull')).status, 200);
  t.equal((await ask(client, ANN)).status, 200);
  for (const [grant, user] of [
    ['break-glass', 'hal@break-glass'],
    ['remembered', 'ann'],
  ]) {
    const line = site.edge.log.split('\n').find((one) => one.includes(`"grant":"${grant}"`)) ?? '{}';
    t.match(JSON.parse(line), {
      level: 40,
      request: {
        kind: 'token',
        user,
        client: '127.0.0.1',
        granted: 'repository:library/app:pull',
        detail: /connect/,
        outcome: 'served',
      },
    });
    t.match(
      (await site.edge.admin('/metrics')).body,
      new RegExp(`^breakwater_tokens_total\\{result="${grant}"\\} 1$`, 'm'),
    );
  }
});

t.test('an authority that hangs, or whose database is dead', async (t) => {
  for (const fault of ['frozen', 'databaseDown'] as const) {
    const site = await start(t);
    const client = site.edge.http1();
    await site.primary.faults.on(fault);
    const token = await ask(client, HAL);
    t.equal(token.status, 200, fault);
    t.match(await pull(client, token), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, fault);
    await site.primary.faults.off(fault);
    await site.edge.upstream('harbor', 'up');
    // A probe that began before may still call it down for a moment.
    await until(async () => (await ask(client, ANN)).status === 200, { what: () => `${fault}: it can be asked` });
    await until(async () => (await pull(client, token)).status === 401, { what: () => `${fault}: which ends it` });
    t.equal(saw(site, HAL), false, fault);
  }
});

t.test('a user who is removed, or gets another password or rule, loses access at once', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  const token = await ask(client, HAL);
  t.equal((await pull(client, token)).status, 200);
  const changed: [string, object, Record<string, string>][] = [
    ['another password', AUTH, { 'hal@break-glass': await bcrypt.hash('another', 4) }],
    ['another rule', { ...AUTH, access: { '*': ['library/else pull'] } }, HASHES],
    ['nobody', AUTH, {}],
  ];
  for (const [what, auth, users] of changed) {
    await site.edge.reload({ ...site.config, auth }, { users });
    t.equal((await pull(client, token)).status, 401, what);
  }
  await site.edge.reload(site.config);
  t.equal((await pull(client, token)).status, 200, 'and back');
});
