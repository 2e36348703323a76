import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { checkAuthority } from '../../../src/cli/check/authority-check.ts';
import { checkUpstream } from '../../../src/cli/check/reachability.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { BufferPool } from '../../../src/upstream/reader/buffer-pool.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { Upstream } from '../../../src/upstream/upstream.ts';
import { scaleUpstream } from '../../helpers/upstream-times.ts';

/** Milliseconds of each answer, and of the deadline: two answers take longer than one deadline. */
const SLOW_MS = 800;
const DEADLINE_MS = 1500;
const TOKEN = JSON.stringify({ token: 'abc', expires_in: 300 });

/** An upstream whose every answer is slow after it was probed. */
async function slowUpstream(t: Test, settings: object): Promise<Upstream> {
  let [pause, realm] = [0, ''];
  const server = createServer(async ({ url, headers }, response) => {
    await wait(pause);
    if (url?.startsWith('/token')) {
      const isWrong = headers.authorization?.endsWith(btoa('ann:wrong'));
      response.writeHead(isWrong ? 401 : 200, { 'content-type': 'application/json' }).end(isWrong ? '' : TOKEN);
    } else if (headers.authorization !== undefined) response.writeHead(200).end('{"name":"a","tags":["1"]}');
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="slow"` }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const nothing = () => undefined;
  const names = ['health', 'breaker', 'gate', 'credentials', 'corruptCopy', 'content'] as const;
  const events = Object.fromEntries(names.map((name) => [name, nothing])) as Record<(typeof names)[number], () => void>;
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  realm = `${urls[0]}/token`;
  const given = { urls, deadlines: { manifest: `${DEADLINE_MS}ms` }, ...settings };
  const config = configSchema.shape.upstreams.valueType.parse(scaleUpstream(given));
  const upstream = new Upstream(
    'harbor',
    config,
    { password: 'x' },
    { resolver: new Resolver(), pool: new BufferPool() },
    events,
  );
  t.teardown(async () => {
    await upstream.stop();
    server.close();
    server.closeAllConnections();
  });
  await upstream.start();
  pause = SLOW_MS;
  return upstream;
}

const BASIC = (password: string) => `Basic ${btoa(`ann:${password}`)}`;

// Each request has a deadline of its own.
t.jobs = 5;

t.test('of the check how users log in', async (t) => {
  const findings = await checkAuthority(await slowUpstream(t, { credentials: 'forward' }), []);
  t.match(findings, [{ level: 'ok', message: /its own token service/ }]);
});

t.test('of the check before a refused push is explained', async (t) => {
  const { userAuthority } = await slowUpstream(t, { credentials: 'forward' });
  t.match(await userAuthority.checkReachable([]), { by: 'token' });
});

t.test('of the first login', async (t) => {
  const { userAuthority } = await slowUpstream(t, { credentials: 'forward' });
  t.match(await userAuthority.ask(BASIC('x'), [], []), { outcome: 'granted' });
});

t.test('of a login that is refused', async (t) => {
  const { userAuthority } = await slowUpstream(t, { credentials: 'forward' });
  await userAuthority.checkReachable([]);
  t.match(await userAuthority.ask(BASIC('wrong'), [], []), { outcome: 'refused' });
});

t.test('of the check of the edge’s own credentials', async (t) => {
  const upstream = await slowUpstream(t, { credentials: { username: 'ann', passwordFile: 'p' } });
  const [, credentials] = await checkUpstream(upstream);
  t.match(credentials, { level: 'ok', message: 'the credentials are accepted' });
});
