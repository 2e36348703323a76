import type { IncomingMessage, ServerResponse } from 'node:http';
import t from 'tap';
import type { LabUser } from '../../../src/lab/access.ts';
import type { LabRegistryOptions } from '../../../src/lab/registry.ts';
import { basic, bearer, KEY, probe } from '../../helpers/forward-site.ts';
import { INNER, startLabSite } from '../../helpers/lab-site.ts';
import { type FrontRule, RegistryFront } from '../../helpers/registry-front.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

// Authorities other than Harbor with its database down: what they cannot check is neither wrong, nor forgotten.

const ANN = basic('ann', 'Tr0ub4dor&3');
const BOB = basic('bob', 'hunter2');
const LDAP = { username: 'ldap-canary', password: 'directory' };

function users(): LabUser[] {
  return [
    { username: 'ann', password: 'Tr0ub4dor&3' },
    { username: 'bob', password: 'hunter2' },
    { username: 'robot$probe', password: 'pr0be-secret' },
    LDAP,
  ];
}

/** @param sick how the authority answers while it cannot check logins */
async function start(owner: Owner, sick: FrontRule, primary: LabRegistryOptions, auth: object = {}) {
  const front = await new RegistryFront(owner, async () => 'pass', sick).listen();
  const site = await startLabSite(owner, {
    primary,
    harbor: {
      urls: [`http://${front.address}`],
      credentials: 'forward',
      probe: { ...probe, ...(primary.harbor ? { kind: 'harbor' } : {}) },
    },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: {
      secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } },
      canaryPassword: LDAP.password,
    },
    config: { auth: { mode: 'delegate', ...auth } },
  });
  front.before(`127.0.0.1:${site.primary.port}`);
  await site.edge.upstream('harbor', 'up');
  const client = site.edge.http1();
  const login = (authorization: string) =>
    client.ask('/auth/token?service=edge.test&scope=repository:library/app:pull', { headers: { authorization } });
  const pull = async (authorization: string): Promise<string | number> => {
    const token = await login(authorization);
    if (token.status !== 200) return token.status;
    const headers = { authorization: bearer(token) };
    const reply = await client.ask('/v2/library/app/manifests/1', { headers });
    return reply.status === 200 ? String(reply.headers['x-breakwater-upstream']) : reply.status;
  };
  return { site, front, pull };
}

function answer(response: ServerResponse, status: number, body = '', headers: Record<string, string> = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  return 'answered' as const;
}

/** Without credentials all is well. */
const toLogins =
  (rule: (response: ServerResponse, request: IncomingMessage) => 'answered'): FrontRule =>
  async (request, response) =>
    request.headers.authorization === undefined ? 'pass' : rule(response, request);

const SICK: Record<string, FrontRule> = {
  'refuses every login': toLogins((response, { headers }) =>
    answer(response, 401, '{}', { 'www-authenticate': `Bearer realm="http://${headers.host}/token",service="lab"` }),
  ),
  'answers 500': toLogins((response) => answer(response, 500)),
  'answers 429': toLogins((response) => answer(response, 429, '{}', { 'retry-after': '1' })),
  'is behind a proxy with a page of its own': toLogins((response) =>
    answer(response, 200, '<html>Please log in</html>', { 'content-type': 'text/html' }),
  ),
};

for (const scheme of ['bearer', 'basic'] as const)
  for (const [name, sick] of Object.entries(SICK))
    t.test(`an authority with ${scheme} that ${name}`, async (t) => {
      const known = users();
      const { site, front, pull } = await start(t, sick, { auth: { scheme, users: known } });
      t.equal(await pull(ANN), 'harbor');
      await front.set('no-database');
      for (let round = 0; round < 5; round += 1) t.equal(await pull(ANN), 'gcr', `round ${round}`);
      t.equal(await pull(basic('ann', 'wrong')), 503, 'nobody can tell');
      t.equal(await pull(BOB), 503);
      await front.set('well');
      await site.edge.upstream('harbor', 'up');
      await until(async () => (await pull(BOB)) === 'harbor');
      await until(async () => (await pull(ANN)) === 'harbor');
      t.equal(await pull(basic('ann', 'wrong')), 401);

      known.splice(0, 1);
      const [bob] = known;
      if (bob) bob.repositories = [`${INNER}elsewhere/`];
      t.equal(await pull(ANN), 401, 'a user who was removed');
      t.equal(await pull(BOB), 401, 'a user who may no more');
      await front.set('no-database');
      t.equal(await pull(ANN), 503, 'what a well authority denied is forgotten');
      t.equal(await pull(BOB), 503);
    });

/** As Harbor while its directory of users is down: robots, which it knows itself, go on. */
const withoutDirectory: FrontRule = async ({ url = '', headers }, response) => {
  const name =
    Buffer.from((headers.authorization ?? '').slice(6), 'base64')
      .toString()
      .split(':')[0] ?? '';
  if (!url.startsWith('/service/token') || name === '' || name.startsWith('robot$')) return 'pass';
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'RS256' })}.${part({ iss: 'harbor-token-issuer', access: [] })}.c2ln`;
  return answer(response, 200, JSON.stringify({ token }));
};

t.test('a Harbor whose LDAP is down: the canary is best a login of that directory', async (t) => {
  const { username } = LDAP;
  const rows: [string, auth: object, found: string | number][] = [
    ['a canary in LDAP', { canary: { username, passwordFile: 'x' } }, 'gcr'],
    ['a robot as the canary', {}, 503],
  ];
  for (const [name, auth, found] of rows) {
    const { front, pull } = await start(
      t,
      withoutDirectory,
      { harbor: true, auth: { scheme: 'bearer', users: users() } },
      auth,
    );
    t.equal(await pull(ANN), 'harbor');
    await front.set('no-database');
    t.equal(await pull(ANN), found, name);
    await front.set('down');
    t.equal(await pull(ANN), 'gcr', `${name}: nothing is forgotten`);
  }
});
