import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { checkAuthority, checkCanaryLogin } from '../../../src/cli/check/authority-check.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { BufferPool } from '../../../src/upstream/reader/buffer-pool.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { Upstream } from '../../../src/upstream/upstream.ts';
import { scaleUpstream } from '../../helpers/upstream-times.ts';

const upstreamSchema = configSchema.shape.upstreams.valueType;

async function check(t: Test, urls: string[], realmHosts: string[] = [], manifest = '5s') {
  return checkAuthority(await started(t, { urls, deadlines: { manifest } }), realmHosts);
}

async function started(t: Test, given: object): Promise<Upstream> {
  const config = upstreamSchema.parse(scaleUpstream({ credentials: 'forward', ...given }));
  const nothing = () => undefined;
  const events = {
    health: nothing,
    breaker: nothing,
    gate: nothing,
    credentials: nothing,
    corruptCopy: nothing,
    content: nothing,
  };
  const upstream = new Upstream('harbor', config, {}, { resolver: new Resolver(), pool: new BufferPool() }, events);
  t.teardown(() => upstream.stop());
  await upstream.start();
  return upstream;
}

/** A registry that asks for credentials so, and whose token service answers so. */
async function odd(t: Test, challenge: string | undefined, status = 401, token: number | 'silent' = 200) {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/v2/') {
      response.writeHead(status, challenge === undefined ? {} : { 'www-authenticate': challenge });
      response.end();
    } else if (token !== 'silent') response.writeHead(token).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const USERS = [{ username: 'ann', password: 'x' }];

t.test('how users log in', async (t) => {
  const bearer = await startLabRegistry({ auth: { scheme: 'bearer', users: USERS } });
  const basic = await startLabRegistry({ auth: { scheme: 'basic', users: USERS } });
  t.teardown(() => Promise.all([bearer.close(), basic.close()]));
  t.match(await check(t, [bearer.url]), [{ level: 'ok', message: /its own token service/ }]);
  t.match(await check(t, [basic.url]), [{ level: 'ok', message: /with Basic/ }]);
  const elsewhere = `Bearer realm="http://localhost:${bearer.port}/token",service="lab"`;
  const named = await check(t, [await odd(t, elsewhere)], ['localhost']);
  t.match(named, [{ level: 'ok', message: `its users log in at the token service at localhost:${bearer.port}` }]);
  const both = await check(t, [bearer.url, await odd(t, undefined, 200)]);
  t.match(both, [{ level: 'ok' }, { level: 'error' }], 'each URL is asked');
  t.notOk(
    [...bearer.requests, ...basic.requests].some(({ headers }) => headers.authorization),
    'nothing of anybody’s was shown',
  );
});

const ROWS: [name: string, challenge: string | undefined, status: number, token: number | 'silent', RegExp, RegExp][] =
  [
    ['everybody is let in', undefined, 200, 200, /answers 200 without a way to log in/, /turn its authentication on/],
    [
      'an empty challenge',
      '',
      401,
      200,
      /answers 401 without a way to log in/,
      /it offers no usable login: check its database/,
    ],
    [
      'one that is none of ours',
      'Negotiate',
      401,
      200,
      /answers 401 without/,
      /it offers no usable login: check its database/,
    ],
    [
      'elsewhere',
      'Bearer realm="https://auth.example.io/t"',
      401,
      200,
      /auth\.example\.io.*realmHosts/,
      /auth\.realmHosts/,
    ],
    ['no URL', 'Bearer realm="/token"', 401, 200, /no usable token service/, /correct the realm/],
    [
      'its token service is ill',
      'Bearer realm="HERE/token"',
      401,
      500,
      /token service answers 500/,
      /look at what answers/,
    ],
    ['it is not there', 'Bearer realm="HERE/token"', 401, 404, /token service answers 404/, /look at what answers/],
    ['it hangs', 'Bearer realm="HERE/token"', 401, 'silent', /does not answer in time/, /deadlines\.manifest/],
    ['nobody is there', 'Bearer realm="http://127.0.0.1:1/token"', 401, 200, /ECONNREFUSED/, /host and port/],
  ];

for (const [name, challenge, status, token, message, remedy] of ROWS) {
  t.test(`who cannot log in: ${name}`, async (t) => {
    const server: { url: string } = { url: '' };
    const own = challenge?.includes('HERE') ? await odd(t, undefined, 401, token) : '';
    server.url = await odd(t, challenge?.replace('HERE', own), status, token);
    // Only `elsewhere` is on another host.
    const findings = await check(t, [server.url], ['127.0.0.1'], token === 'silent' ? '1s' : '5s');
    t.match(findings, [{ level: 'error', subject: `harbor ${server.url}`, message, remedy }]);
    t.equal(findings.length, 1);
  });
}

t.test('one that is down is told of elsewhere', async (t) => {
  t.same(await check(t, ['http://127.0.0.1:1']), []);
});

t.test('the login by which refusals are judged', async (t) => {
  const registry = await startLabRegistry({ harbor: true, auth: { scheme: 'bearer', users: USERS } });
  t.teardown(() => registry.close());
  const upstream = await started(t, { urls: [registry.url], probe: { kind: 'harbor' } });
  const login = { username: 'ann', password: 'x', realmHosts: [], scopes: [] };
  t.match(await checkCanaryLogin(upstream, login), [{ level: 'ok', message: /ann, works/ }]);
  t.match(await checkCanaryLogin(upstream, { ...login, password: 'ended' }), [
    {
      level: 'error',
      message: /refuses the login of ann/,
      remedy: 'renew the password in its file; for a robot of Harbor, its secret',
    },
  ]);
  t.match(await checkCanaryLogin(upstream, undefined), [{ level: 'warning', remedy: /auth\.canary/ }]);
  const other = await started(t, { urls: [registry.url] });
  t.strictSame(await checkCanaryLogin(other, undefined), [], 'only Harbor needs one');
  await registry.faults.on('frozen');
  t.match(await checkCanaryLogin(other, login), [{ level: 'warning', message: /cannot be tried/ }]);
});
