import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseConfig } from '../../src/config/inspection.ts';
import { loadConfig } from '../../src/config/load.ts';
import { writeMaterial } from './write-material.ts';

function parse(credentials: unknown) {
  return parseConfig({
    hostname: 'cr.example.io',
    tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
    upstreams: { a: { urls: ['https://a.lan'], credentials } },
    routes: [{ prefix: '', pull: [{ upstream: 'a' }] }],
  }).config.upstreams.a?.credentials;
}

t.test('each kind of credentials, with its defaults', async (t) => {
  t.match(parse({ helper: 'ecr-login' }), { helper: 'ecr-login', renewEvery: 600_000, realmHosts: [] });
  t.match(parse({ tokenFile: 'token' }), { tokenFile: 'token', username: 'oauth2accesstoken' });
  t.match(parse({ username: 'u', passwordFile: 'p' }), { username: 'u' });
});

t.test('mistakes are told for the kind that is meant', async (t) => {
  const rows: [credentials: unknown, expected: RegExp][] = [
    [
      { helper: 'x', passwordFile: 'y' },
      /passwordFile: is not a known key; there are helper, realmHosts, renewEvery, server/,
    ],
    [{ helper: '../sh' }, /helper: .*expected NAME of a program docker-credential-NAME/],
    [{ helper: 'x', server: 'a b' }, /server: .*expected the server URL or host/],
    [{ metadata: 'aws' }, /metadata: is "aws"; expected "gcp"/],
    [
      { tokenFile: 'x', passwordFile: 'y' },
      /passwordFile: is not a known key; there are realmHosts, tokenFile, username/,
    ],
    [{ tokenFile: 'two\nlines' }, /tokenFile: is text that is not shown; expected the name of a file/],
    [{ username: 'u' }, /passwordFile: is missing/],
    [{}, /username: is missing/],
  ];
  for (const [credentials, expected] of rows)
    try {
      parse(credentials);
      t.fail(JSON.stringify(credentials));
    } catch (error) {
      const findings = error instanceof ConfigError ? error.findings : [];
      t.match(findings.map(({ key, message }) => `${key}: ${message}`).join('\n'), expected);
    }
});

t.test('a token file is checked at the start, and is not one that a reload waits for', async (t) => {
  const folder = await writeMaterial(t);
  const file = join(folder, 'breakwater.yaml');
  writeFileSync(
    file,
    `hostname: cr.example.io
tls: { certFile: tls.crt, keyFile: tls.key }
upstreams: { a: { urls: [https://a.lan], credentials: { tokenFile: a.token } } }
routes: [{ prefix: "", pull: [{ upstream: a }] }]
`,
  );
  const message = async () => loadConfig(file).then(() => 'good', String);
  t.match(await message(), /upstreams\.a\.credentials\.tokenFile[\s\S]*names a file that does not exist/);
  writeFileSync(join(folder, 'a.token'), 'two words\n');
  t.match(
    await message(),
    /tokenFile[\s\S]*names a file that holds no token; expected one line of ASCII without spaces/,
  );
  writeFileSync(join(folder, 'a.token'), 'good\n');
  const { material } = await loadConfig(file);
  t.notOk(material.files?.has(join(folder, 'a.token')));
  t.notMatch(JSON.stringify(material.upstreams), /good/, 'the upstream reads it by itself');
});
