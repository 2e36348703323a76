import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import t from 'tap';
import { startEdge } from '../../helpers/edge.ts';
import { HttpsClient } from '../../helpers/https-client.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');

/** @returns exit status, and what it said on standard output and standard error */
function user(args: string[], input = '', cwd = process.cwd()) {
  const { status, stdout, stderr } = spawnSync(launcher, ['user', ...args], { input, cwd, encoding: 'utf8' });
  return { status, stdout, stderr };
}

t.test('breakwater user', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'users');
  const at = ['--file', file];
  t.match(user(['add', 'ann', '--password-stdin', ...at], 'correct horse\n'), { status: 0, stdout: 'ann was added\n' });
  const [, hash = ''] = readFileSync(file, 'utf8').trim().split(':');
  t.equal(await bcrypt.compare('correct horse', hash), true, 'without the line end');
  t.match(user(['add', 'ann', '--password-stdin', ...at], 'other'), {
    status: 0,
    stdout: /the password of ann was changed/,
  });
  t.match(user(['list', ...at]), { status: 0, stdout: 'ann\n' });
  t.match(user(['list', '--json', ...at]), { status: 0, stdout: '["ann"]\n' });
  t.match(
    user(['add', 'bob', ...at], 'x'),
    { status: 2, stderr: /--password-stdin/ },
    'off a terminal nobody is asked',
  );
  t.match(user(['add', 'b:b', '--password-stdin', ...at], 'x'), { status: 2, stderr: /is not a user name/ });
  t.match(user(['add', 'bob', '--password-stdin', ...at], ''), { status: 2, stderr: /empty/ });
  t.match(user(['add', 'bob', '--password-stdin', ...at], 'x'.repeat(73)), { status: 2, stderr: /72 bytes/ });
  t.match(user(['add']), { status: 2, stderr: /missing required argument/ });
  t.match(user(['remove', 'ann', ...at]), { status: 0, stdout: 'ann was removed\n' });
  t.match(user(['remove', 'ann', ...at]), { status: 1, stdout: /no user ann/ });
});

t.test('the file that the configuration names, which need not be there yet', async (t) => {
  const folder = temporaryFolder(t);
  const config = join(folder, 'breakwater.yaml');
  const rest = [
    'hostname: edge.test',
    'tls: { certFile: a.crt, keyFile: a.key }',
    'upstreams: { a: { urls: [http://a.lan] } }',
    'routes: [{ prefix: "", pull: [{ upstream: a }] }]',
    '',
  ].join('\n');
  writeFileSync(config, `${rest}auth: { mode: htpasswd, htpasswdFile: secrets.users }\n`);
  t.match(user(['add', 'ann', '--password-stdin'], 'secret', folder), { status: 0 });
  t.ok(existsSync(join(folder, 'secrets.users')), 'relative to it');
  writeFileSync(config, rest);
  t.match(user(['list', '--config', config]), { status: 2, stderr: /does not set auth.htpasswdFile/ });
  writeFileSync(config, 'auth: { mode: htpasswd, htpasswdFile: secrets.users }\n');
  t.match(user(['list', '--config', config]), { status: 2, stderr: /breakwater check/ });
});

t.test('break-glass users, whose names say that they are', async (t) => {
  const folder = temporaryFolder(t);
  const config = join(folder, 'breakwater.yaml');
  const lines = [
    'hostname: edge.test',
    'tls: { certFile: a.crt, keyFile: a.key }',
    'upstreams: { a: { urls: [http://a.lan], credentials: forward } }',
    'routes: [{ prefix: "", pull: [{ upstream: a }] }]',
    'auth: { mode: delegate, htpasswdFile: others.users, breakGlassFile: glass.users }',
    '',
  ];
  writeFileSync(config, lines.join('\n'));
  const refused = user(['add', 'hal', '--password-stdin', '--config', config], 'secret');
  t.match(refused, { status: 2, stderr: /must end in @break-glass, such as hal@break-glass/ });
  t.match(user(['add', 'hal@break-glass', '--password-stdin', '--config', config], 'secret'), { status: 0 });
  t.match(user(['list', '--config', config]), { status: 0, stdout: 'hal@break-glass\n' });
  t.ok(existsSync(join(folder, 'glass.users')));
  writeFileSync(config, lines.map((line) => line.replace(', breakGlassFile: glass.users', '')).join('\n'));
  t.match(user(['list', '--config', config]), { status: 2, stderr: /does not set auth.breakGlassFile/ });
});

t.test('a running edge takes users in and lets them go without a restart', async (t) => {
  const file = join(temporaryFolder(t), 'users');
  const at = ['--file', file];
  user(['add', 'ann', '--password-stdin', ...at], 'secret');
  const edge = await startEdge(t, {
    upstreams: { harbor: { urls: ['http://127.0.0.1:1'] } },
    routes: [{ prefix: '', pull: [{ upstream: 'harbor' }] }],
    auth: { mode: 'htpasswd', htpasswdFile: file, access: { '*': ['** pull'] } },
  });
  const client = new HttpsClient(edge.url, edge.certificate.authority);
  t.teardown(() => client.close());
  const login = async (name: string) => {
    const authorization = `Basic ${Buffer.from(`${name}:secret`).toString('base64')}`;
    return client.ask('/auth/token', { headers: { authorization } });
  };
  const { token } = JSON.parse((await login('ann')).body.toString());
  const ping = async () => (await client.ask('/v2/', { headers: { authorization: `Bearer ${token}` } })).status;
  t.equal(await ping(), 200);
  user(['add', 'bob', '--password-stdin', ...at], 'secret');
  // Not by trying: wrong logins would have to wait.
  await edge.waitForLog(/"msg":"reloaded"/);
  t.equal((await login('bob')).status, 200);
  user(['remove', 'ann', ...at]);
  await until(async () => (await ping()) === 401, { what: () => 'her token to be worth nothing' });
  t.equal((await login('ann')).status, 401);
});
