import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { exportNginx } from '../../../src/cli/nginx/export-command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');

function write(folder: string, changes: object = {}): string {
  const config = join(folder, 'breakwater.yaml');
  const content = {
    hostname: 'cr.example.io',
    tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
    upstreams: { a: { urls: ['https://a.lan'], credentials: { username: 'robot$ci', passwordFile: 'a.secret' } } },
    routes: [{ prefix: '', push: 'a', pull: [{ upstream: 'a' }] }],
    ...changes,
  };
  writeFileSync(config, stringify(content));
  writeFileSync(join(folder, 'a.secret'), 'not-a-real-secret\n');
  return config;
}

t.test('the configuration goes to standard output', async (t) => {
  const config = write(temporaryFolder(t));
  const { status, stdout } = spawnSync(launcher, ['nginx', 'export', '-c', config], { encoding: 'utf8' });
  t.equal(status, 0);
  t.match(stdout, /^# Made by `breakwater nginx export` from /);
  t.match(stdout, `ssl_certificate ${config.replace('breakwater.yaml', 'tls.crt')};`);
});

t.test('logins are only written when they are asked for, for the owner alone', async (t) => {
  const folder = temporaryFolder(t);
  const config = write(folder);
  const output = join(folder, 'out');
  await exportNginx({ config, output });
  await t.rejects(exportNginx({ config, output }), { message: /exists already, so nothing was written/ });
  await exportNginx({ config, output, withCredentials: true, force: true, json: true });
  const file = join(output, 'a.authorization.conf');
  t.equal(statSync(file).mode & 0o777, 0o600);
  const [, login = ''] = /"Basic (.*)"/.exec(readFileSync(file, 'utf8')) ?? [];
  t.equal(Buffer.from(login, 'base64').toString(), 'robot$ci:not-a-real-secret');
  const text = readFileSync(join(output, 'nginx.conf'), 'utf8');
  t.match(text, `include ${file};`);
  t.notMatch(text, login);
});

t.test('what cannot be exported is named', async (t) => {
  const folder = temporaryFolder(t);
  const config = write(folder);
  await t.rejects(exportNginx({ config, withCredentials: true }), { message: /--with-credentials needs --output/ });
  await t.rejects(exportNginx({ config: join(folder, 'none.yaml') }), { message: /there is no configuration at/ });
  const dollar = write(folder, { tls: { certFile: 'a$b.crt', keyFile: 'tls.key' } });
  await t.rejects(exportNginx({ config: dollar }), { message: /has a dollar sign or a control character.*rename it/ });
  const wrong = write(folder, { routes: [] });
  await t.rejects(exportNginx({ config: wrong }), {
    message: /has errors, so it cannot be exported: run breakwater check/,
  });
  const missing = write(folder, {
    upstreams: { a: { urls: ['https://a.lan'], credentials: { username: 'u', passwordFile: 'none' } } },
  });
  const asked = exportNginx({ config: missing, output: join(folder, 'other'), withCredentials: true });
  await t.rejects(asked, { message: /the password file .*none does not exist/ });
});
