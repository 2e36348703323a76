import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { UsageError } from '../../../src/cli/config-path.ts';
import { type ImportFlags, importNginx } from '../../../src/cli/nginx/import-command.ts';
import { readConfiguration } from '../../../src/cli/nginx/read-configuration.ts';
import { everyDirective } from '../../../src/nginx/syntax/directive.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');
const run = (args: string[], input = '') => {
  const { status, stdout, stderr } = spawnSync(launcher, ['nginx', 'import', ...args], { input, encoding: 'utf8' });
  return { status, stdout, stderr };
};

const SERVER = `server {
  listen 443 ssl;
  server_name cr.example.io;
  ssl_certificate tls.crt;
  ssl_certificate_key tls.key;
  location /v2/ {
    proxy_set_header Authorization "Basic Y2k6bm90LWEtcmVhbC1zZWNyZXQ=";
    proxy_pass http://registry.lan:5000;
  }
}
`;

function write(folder: string, files: Record<string, string>): string {
  mkdirSync(join(folder, 'conf.d'), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return join(folder, 'nginx.conf');
}

t.test(
  'the configuration goes to standard output and the report to standard error, or both into a folder',
  async (t) => {
    const folder = temporaryFolder(t);
    const main = write(folder, {
      'nginx.conf': 'events {}\nhttp { include conf.d/*.conf; }',
      'conf.d/cr.conf': SERVER,
    });
    const printed = run([main]);
    t.equal(printed.status, 0, printed.stderr);
    t.match(printed.stdout, /^hostname: cr.example.io$/m);
    t.match(printed.stdout, `certFile: ${folder}/tls.crt`);
    t.match(printed.stderr, /taken over {2}proxy_pass http:\/\/registry.lan:5000;/);
    const out = join(folder, 'out');
    const written = run([main, '-o', out, '--write-secrets']);
    t.equal(written.status, 0, written.stderr);
    t.equal(readFileSync(join(out, 'breakwater.yaml'), 'utf8'), printed.stdout);
    t.match(
      readFileSync(join(out, 'import-report.txt'), 'utf8'),
      /conf\.d\/cr\.conf\n {5}1 {2}taken over {2}server \{ … \}/,
    );
    t.equal(readFileSync(join(out, 'registry.secret'), 'utf8'), 'not-a-real-secret\n');
    t.equal(statSync(join(out, 'registry.secret')).mode & 0o777, 0o600);
    t.notMatch(printed.stdout + printed.stderr + written.stdout, /not-a-real|bm90/);
    await t.rejects(importNginx([main], { output: out }), { message: /exists already, so nothing was written/ });
  },
);

t.test('what nginx -T prints is taken from standard input', async (t) => {
  const dump = `# configuration file /etc/nginx/nginx.conf:\nhttp { include conf.d/*.conf; lua_code_cache on; }\n# configuration file /etc/nginx/conf.d/cr.conf:\n${SERVER.replace('location', 'access_by_lua_block { x() }\nlocation')}`;
  const { status, stdout } = run(['-', '--json'], dump);
  t.equal(status, 1, 'Lua cannot be taken over');
  const { configuration, report, todo } = JSON.parse(stdout);
  t.match(configuration, 'certFile: /etc/nginx/tls.crt');
  t.match(todo, [/caFile|password/]);
  const lua = report.find(({ isImportant }: { isImportant: boolean }) => isImportant);
  t.match(lua, {
    file: '/etc/nginx/conf.d/cr.conf',
    line: 6,
    verdict: 'cannot',
    directive: 'access_by_lua_block { … }',
  });
});

t.test('without a registry there is a report, and no configuration', async (t) => {
  const folder = temporaryFolder(t);
  const main = write(folder, { 'nginx.conf': 'http { server { listen 80; return 404; } }' });
  t.equal(await importNginx([main], {}), false);
  t.equal(await importNginx([main], { server: 'cr.example.io:443' }), false);
});

t.test('bad arguments', async (t) => {
  const refused = async (flags: ImportFlags, message: RegExp) =>
    await t.rejects(importNginx(['none'], flags), { message });
  await refused({ server: 'a b' }, /--server "a b" is not NAME or NAME:PORT/);
  await refused({ hostname: 'a:1' }, /--hostname "a:1" is no host name/);
  await refused({ writeSecrets: true }, /--write-secrets needs --output/);
});

t.test('files that cannot be read end with file, line, what was expected and what to do', async (t) => {
  const folder = temporaryFolder(t);
  const refused = async (files: Record<string, string>, message: RegExp) =>
    await t.rejects(readConfiguration([write(folder, files)]), { name: UsageError.name, message });
  await refused(
    { 'nginx.conf': 'http {\n include a.conf;\n}', 'a.conf': 'include b.conf;', 'b.conf': '\ninclude nginx.conf;' },
    /b\.conf:2: .*nginx\.conf includes itself, by way of .*a\.conf.*Expected files/,
  );
  symlinkSync(join(folder, 'nginx.conf'), join(folder, 'conf.d/link.conf'));
  await refused({ 'nginx.conf': 'include conf.d/*.conf;' }, /nginx\.conf:1: .*link\.conf includes itself/);
  await refused({ 'nginx.conf': 'a;\ninclude;' }, /nginx\.conf:2: expected the name of a file after include/);
  await refused({ 'nginx.conf': 'a;\nb' }, /nginx\.conf:2: the directive "b" does not end/);
  await refused({ 'nginx.conf': 'a\0;' }, /is no text/);
  await refused({ 'nginx.conf': '#'.repeat(5_000_000) }, /is longer than 4 MiB/);
  await refused({ 'nginx.conf': 'a;'.repeat(200_001) }, /more than 200000 directives/);
  await refused({ 'nginx.conf': 'include conf.d;' }, /conf\.d is a folder\. Name a file/);
  await t.rejects(readConfiguration([join(folder, 'none')]), { message: /there is no such file/ });
});

t.test('an include of a file that is not there is a line of the report, and one without matches is none', async (t) => {
  const folder = temporaryFolder(t);
  const { directives } = await readConfiguration([
    write(folder, { 'nginx.conf': 'include none.conf;\ninclude none/*.conf;' }),
  ]);
  t.strictSame(
    everyDirective(directives).map(({ included }) => included),
    [undefined, []],
  );
});
