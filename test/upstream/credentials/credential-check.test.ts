import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { configSchema } from '../../../src/config/schema.ts';
import { Connection } from '../../../src/upstream/connection.ts';
import { BufferPool } from '../../../src/upstream/reader/buffer-pool.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

const upstreamSchema = configSchema.shape.upstreams.valueType;

/** What the registry and its token service answer; `repositories`: to a token request with a scope. */
interface Said {
  ping?: number;
  challenge?: string;
  basic?: number;
  token?: number;
  repositories?: number;
}

async function start(t: Test, said: Said, credentials: unknown = { username: 'edge', passwordFile: 'x' }) {
  const asked: string[] = [];
  const server = createServer(({ url = '', headers }, response) => {
    asked.push(`${url} ${headers.authorization?.split(' ')[0] ?? '-'}`);
    const end = (status: number, body = '') => response.writeHead(status, challenge).end(body);
    const { port } = server.address() as AddressInfo;
    const text = (said.challenge ?? 'Bearer realm="HERE/token",service="s"').replace(
      'HERE',
      `http://127.0.0.1:${port}`,
    );
    const challenge = text === '' ? {} : { 'www-authenticate': text };
    if (url.startsWith('/token'))
      end((url.includes('scope=') ? said.repositories : said.token) ?? 200, JSON.stringify({ token: 'abc' }));
    else if (headers.authorization === undefined) end(said.ping ?? 401);
    else end(headers.authorization.startsWith('Basic') ? (said.basic ?? 200) : 200);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const network = { resolver: new Resolver(), pool: new BufferPool() };
  const connection = new Connection(
    url,
    upstreamSchema.parse({ urls: [url], credentials }),
    { password: 'x' },
    network,
  );
  t.teardown(async () => {
    await connection.close();
    server.closeAllConnections();
    server.close();
  });
  const check = () =>
    connection.credentialCheck?.(AbortSignal.timeout(timeLimit(5000))).then(
      () => 'taken',
      (error: unknown) => error,
    );
  return { connection, check, asked };
}

const BASIC = 'Basic realm="x"';
const ROWS: [name: string, said: Said, expected: 'taken' | object][] = [
  ['a token is given', {}, 'taken'],
  ['nobody is asked', { ping: 200 }, 'taken'],
  ['Basic', { challenge: BASIC }, 'taken'],
  ['wrong, to the token service', { token: 401 }, { reason: 'credentials', status: 401 }],
  ['forbidden there', { token: 403 }, { reason: 'credentials', status: 403 }],
  ['wrong, by Basic', { challenge: BASIC, basic: 401 }, { reason: 'credentials', status: 401 }],
  ['forbidden, by Basic', { challenge: BASIC, basic: 403 }, { reason: 'credentials', status: 403 }],
  [
    'a token service elsewhere, to which nothing may go',
    { challenge: 'Bearer realm="https://evil.test/token"' },
    { reason: 'credentials', status: undefined },
  ],
  ['a token service that wants a scope', { token: 400 }, { reason: 'malformed' }],
  ['none there', { token: 404 }, { reason: 'malformed' }],
  ['one that is ill', { token: 503 }, { reason: 'malformed' }],
  ['a dead database', { challenge: '' }, { reason: 'authority-dead' }],
  ['a registry that is ill', { ping: 503 }, { reason: 'authority-dead' }],
  ['one that is ill for users', { challenge: BASIC, basic: 500 }, { reason: 'status-5xx' }],
];

for (const [name, said, expected] of ROWS) {
  t.test(name, async (t) => {
    const { check } = await start(t, said);
    const result = await check();
    if (expected === 'taken') t.equal(result, expected);
    else t.match(result, expected);
  });
}

t.test('the scope that the challenge names is asked for', async (t) => {
  const { check, asked } = await start(t, {
    challenge: 'Bearer realm="HERE/token",scope="repository:user/image:pull"',
  });
  t.equal(await check(), 'taken');
  t.ok(asked.includes('/token?scope=repository%3Auser%2Fimage%3Apull Basic'), asked.join('\n'));
});

t.test('403 to nothing in particular is no word where requests are given tokens', async (t) => {
  const { connection, check } = await start(t, { token: 403 });
  t.match(await check(), { reason: 'credentials' });
  const signal = AbortSignal.timeout(timeLimit(5000));
  const scopes = ['repository:library/app:pull'];
  const answer = await connection.send({
    method: 'GET',
    path: '/v2/library/app/tags/list',
    headers: {},
    scopes,
    signal,
    redirects: 'pass',
  });
  await answer.body.dump();
  t.match(await check(), { reason: 'malformed' });
});

t.test('what a check learns is not what requests are made with', async (t) => {
  const { connection, check, asked } = await start(t, {});
  const signal = AbortSignal.timeout(timeLimit(5000));
  const read = async () => {
    const answer = await connection.send({
      method: 'GET',
      path: '/v2/a/tags/list',
      headers: {},
      scopes: ['repository:a:pull'],
      signal,
      redirects: 'pass',
    });
    await answer.body.dump();
  };
  await read();
  const tokens = () => asked.filter((line) => line.startsWith('/token')).length;
  t.equal(tokens(), 1);
  await check();
  t.equal(tokens(), 2, 'a check makes one of its own');
  await read();
  t.equal(tokens(), 2, 'and leaves what is kept alone');
});

t.test('upstreams that have no credentials to check', async (t) => {
  for (const credentials of ['none', 'forward'])
    t.equal((await start(t, {}, credentials)).connection.credentialCheck, undefined);
});
