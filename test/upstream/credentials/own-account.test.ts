import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { configSchema } from '../../../src/config/schema.ts';
import { Connection } from '../../../src/upstream/connection.ts';
import { type Expiry, isKnownToApi } from '../../../src/upstream/credentials/harbor-account.ts';
import { OwnAccount } from '../../../src/upstream/credentials/own-account.ts';
import { BufferPool } from '../../../src/upstream/reader/buffer-pool.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';
import { stayAlive } from '../../helpers/stay-alive.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

const upstreamSchema = configSchema.shape.upstreams.valueType;
const ENDS = 1_800_000_000;
const JWT = `x.${Buffer.from(JSON.stringify({ exp: ENDS })).toString('base64url')}.x`;
const signal = () => AbortSignal.timeout(timeLimit(5000));

stayAlive(t);

interface Given {
  username?: string;
  password?: string;
  kind?: 'harbor' | 'registry';
  /** What the registry answers, by path without its query: a status, or a body. The rest is 404. */
  answers: Record<string, number | object>;
}

/** A connection with an account of its own. `asked`: paths with their queries, decoded. */
async function connect(t: Test, given: Given) {
  const { username = 'robot$edge', password = 's3cret', kind = 'harbor', answers } = given;
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(decodeURIComponent(url));
    const answer = answers[url.split('?')[0] ?? ''] ?? 404;
    const status = typeof answer === 'number' ? answer : 200;
    response.writeHead(status, status === 401 ? { 'www-authenticate': 'Basic realm="x"' } : {});
    response.end(JSON.stringify(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const config = upstreamSchema.parse({
    urls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
    probe: { kind },
    credentials: { username, passwordFile: 'x' },
  });
  const network = { resolver: new Resolver(), pool: new BufferPool() };
  const connection = new Connection(config.urls[0] ?? '', config, { password }, network);
  t.teardown(async () => {
    await connection.close();
    server.closeAllConnections();
    server.close();
  });
  return { connection, asked };
}

t.test('when an account ends', async (t) => {
  const robots = (expires_at: unknown, name = 'robot$edge') => ({
    '/api/v2.0/robots': [
      { name: 'robot$other', expires_at: 1 },
      { name, expires_at },
    ],
  });
  const SYSTEM = '/api/v2.0/robots?page=1&page_size=100&q=Level=system';
  const PROJECT = '/api/v2.0/robots?page=1&page_size=100&q=Level=project,ProjectID=7';
  const project = { '/api/v2.0/projects/library': { project_id: 7 } };
  const ci = 'robot$library+ci';
  const rows: [string, Given, Expiry, string[]][] = [
    ['a robot', { answers: robots(ENDS) }, ENDS * 1000, [SYSTEM]],
    ['a robot without an end', { answers: robots(-1) }, 'never', [SYSTEM]],
    ['not in the list', { answers: robots(ENDS, 'robot$third') }, undefined, [SYSTEM]],
    ['may not list robots', { answers: { '/api/v2.0/robots': 403 } }, undefined, [SYSTEM]],
    ['no time', { answers: robots('soon') }, undefined, [SYSTEM]],
    [
      'the robot of a project',
      { username: ci, answers: { ...project, ...robots(ENDS, ci) } },
      ENDS * 1000,
      ['/api/v2.0/projects/library', PROJECT],
    ],
    ['a hidden project', { username: ci, answers: robots(ENDS, ci) }, undefined, ['/api/v2.0/projects/library']],
    ['a person', { username: 'ann', answers: robots(ENDS, 'ann') }, undefined, []],
    ['an older robot, whose secret is a token', { password: JWT, answers: robots(1) }, ENDS * 1000, []],
    ['such a token elsewhere', { password: JWT, kind: 'registry', answers: robots(1) }, ENDS * 1000, []],
    ['no Harbor', { kind: 'registry', answers: robots(ENDS) }, undefined, []],
  ];
  for (const [name, given, expiry, paths] of rows) {
    const { connection, asked } = await connect(t, given);
    t.equal(await connection.accountExpiry('own', signal()), expiry, name);
    t.strictSame(asked, paths, name);
  }
});

t.test('whether Harbor knows the account of copies', async (t) => {
  const [CURRENT, VERSION, PUBLIC] = ['/api/v2.0/users/current', '/v2/', '/api/v2.0/repositories'];
  const rows: [string, Given['answers'], reason: string, asksFurther: boolean][] = [
    ['a person', { [CURRENT]: 200, [VERSION]: 401 }, 'none', false],
    ['a robot is no person that Harbor could show', { [CURRENT]: 412, [VERSION]: 401 }, 'none', false],
    ['the secret of an OIDC user is not for the API', { [CURRENT]: 401, [VERSION]: 200 }, 'none', true],
    ['an ended robot', { [CURRENT]: 401, [VERSION]: 401, [PUBLIC]: 200 }, 'credentials', true],
    ['no database', { [CURRENT]: 401, [VERSION]: 401, [PUBLIC]: 500 }, 'authority-dead', true],
    ['an API that fails tells nothing', { [CURRENT]: 500, [VERSION]: 401, [PUBLIC]: 200 }, 'credentials', true],
  ];
  for (const [name, answers, reason, asksFurther] of rows) {
    const { connection, asked } = await connect(t, { answers });
    const told = await connection.checkKnownToHarbor(signal()).catch((error: unknown) => error);
    t.equal(told instanceof UpstreamError ? told.reason : 'none', reason, name);
    t.equal(asked[0], CURRENT);
    t.equal(asked.includes(VERSION), asksFurther, name);
  }
  for (const [status, known] of [
    [200, true],
    [412, true],
    [401, false],
    [503, undefined],
  ] as const) {
    const { connection } = await connect(t, { answers: { [CURRENT]: status } });
    const call = { method: 'GET', headers: {}, scopes: [], signal: signal(), redirects: 'pass' } as const;
    t.equal(await isKnownToApi((path) => connection.sendApi({ ...call, path }, 'own'), 'Basic x'), known, `${status}`);
  }
});

t.test(
  'the end of an account is read beside its check, once an hour, and its failure is none of the account',
  async (t) => {
    const told: Expiry[] = [];
    const news: unknown[] = [];
    let reads = 0;
    let answer: () => Promise<Expiry> = () => Promise.reject(new UpstreamError('reset', 'x'));
    const account = new OwnAccount({
      role: 'own',
      username: 'robot$edge',
      check: async () => undefined,
      readExpiry: () => {
        reads += 1;
        return answer();
      },
      timing: { timeout: 1000, interval: 3_600_000, fastInterval: 0 },
      refusalMs: 0,
      confirmMs: 0,
      onNews: (detail) => news.push(detail),
      onExpiry: (at) => told.push(at),
    });
    t.teardown(() => account.stop());
    const check = () => account.confirmRefused();
    await account.start();
    t.match(account.view, { refusal: undefined, unknown: undefined, expires: undefined });
    t.type(account.acceptedAt, 'number', 'it is accepted all the same');
    answer = async () => 5000;
    await check();
    t.strictSame([reads, told, account.view?.expires], [2, [5000], 5000], 'read at the next check');
    answer = async () => 9000;
    await check();
    t.equal(reads, 2, 'not at each check');
    const now = performance.now();
    const later = mock.method(performance, 'now', () => now + 3_600_001);
    t.teardown(() => later.mock.restore());
    await check();
    t.strictSame([reads, told, account.view?.expires], [3, [5000, 9000], 9000]);
    answer = () => Promise.reject(new UpstreamError('reset', 'x'));
    later.mock.mockImplementation(() => now + 7_200_002);
    await check();
    t.strictSame([reads, account.view?.expires], [4, 9000], 'what was told stays');
    t.strictSame(news, []);
  },
);
