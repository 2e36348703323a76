import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { startEdge } from '../../helpers/edge.ts';
import { HttpsClient } from '../../helpers/https-client.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');

t.test('a running edge lets break-glass users go without a restart', async (t) => {
  const file = join(temporaryFolder(t), 'users');
  const user = (...args: string[]) =>
    spawnSync(launcher, ['user', ...args, '--file', file], { input: 'secret' }).status;
  t.equal(user('add', 'hal@break-glass', '--password-stdin'), 0);
  const edge = await startEdge(t, {
    upstreams: { harbor: { urls: ['http://127.0.0.1:1'], credentials: 'forward' } },
    routes: [{ prefix: '', pull: [{ upstream: 'harbor' }] }],
    auth: { mode: 'delegate', breakGlassFile: file, access: { '*': ['** pull'] } },
  });
  const client = new HttpsClient(edge.url, edge.certificate.authority);
  t.teardown(() => client.close());
  const authorization = `Basic ${Buffer.from('hal@break-glass:secret').toString('base64')}`;
  const login = await client.ask('/auth/token?scope=repository:a:pull', { headers: { authorization } });
  const { token } = JSON.parse(login.body.toString());
  const ping = async () => (await client.ask('/v2/', { headers: { authorization: `Bearer ${token}` } })).status;
  t.equal(await ping(), 200);
  await edge.waitForLog(/"grant":"break-glass","granted":"repository:a:pull"/);
  t.equal(user('remove', 'hal@break-glass'), 0);
  await until(async () => (await ping()) === 401, { what: () => 'his token to be worth nothing' });
  t.equal((await client.ask('/auth/token', { headers: { authorization } })).status, 401);
});
