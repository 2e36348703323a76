import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';
import { findingText } from '../../src/config/config-error.ts';
import { type Loaded, loadConfig } from '../../src/config/load.ts';
import { replicationCredentials, replicationPassword } from '../../src/config/replication-user.ts';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { writeMaterial } from './write-material.ts';

async function load(folder: string, keys: string): Promise<Loaded> {
  const file = join(folder, 'breakwater.yaml');
  writeFileSync(
    file,
    `hostname: cr.example.io\nroutes: [{ prefix: "", pull: [{ upstream: a }] }]\n${keys.includes('tls:') ? '' : 'tls: { certFile: tls.crt, keyFile: tls.key }\n'}${keys}\n`,
  );
  return await loadConfig(file);
}

const WITH_PASSWORD =
  'upstreams: { a: { urls: [https://a.lan], credentials: { username: u, passwordFile: password }, probe: { credentials: { username: p, passwordFile: probe.secret } } } }';

t.test('of a password one line end is dropped, and nothing else', async (t) => {
  const folder = await writeMaterial(t);
  for (const [content, password] of [
    ['secret', 'secret'],
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['secret\n\n', 'secret\n'],
    [' secret ', ' secret '],
    ['{\n  "a": 1\n}\n', '{\n  "a": 1\n}'],
    ['pässword\n', 'pässword'],
  ] as const) {
    writeFileSync(join(folder, 'password'), content);
    const { material } = await load(folder, WITH_PASSWORD);
    t.equal(material.upstreams.a?.password, password, JSON.stringify(content));
    t.equal(material.upstreams.a?.probePassword, 'probe-password');
  }
});

t.test('the key is taken as it is, the admin token without its line end', async (t) => {
  const folder = await writeMaterial(t);
  writeFileSync(join(folder, 'raw.key'), Buffer.from(Array.from({ length: 32 }, (_, index) => 255 - index)));
  writeFileSync(join(folder, 'token'), 'the-admin-token-0\n');
  writeFileSync(join(folder, 'metrics'), 'the-metrics-token\n');
  const { material } = await load(
    folder,
    'keyFile: raw.key\nadminTokenFile: token\nmetricsTokenFile: metrics\nupstreams: { a: { urls: [https://a.lan], caFile: harbor-ca.crt } }',
  );
  t.same(material.keys, [readFileSync(join(folder, 'raw.key'))]);
  t.equal(material.adminToken, 'the-admin-token-0');
  t.equal(material.metricsToken, 'the-metrics-token');
  t.match(material.upstreams.a?.ca, /BEGIN CERTIFICATE/);
  const without = await load(folder, 'upstreams: { a: { urls: [https://a.lan] } }');
  t.match(without.material, { keys: [], adminToken: undefined, hookSecret: undefined, upstreams: { a: {} } });
});

t.test('several certificates, in their order, with absolute names', async (t) => {
  const folder = await writeMaterial(t);
  const second = await makeCertificate({ names: ['second.example.io'], authority: true });
  writeFileSync(join(folder, 'second.crt'), `${second.cert}${second.key}\n${second.ca}`);
  writeFileSync(join(folder, 'second.key'), second.key);
  const { material } = await load(
    folder,
    'tls: [{ certFile: tls.crt, keyFile: tls.key }, { certFile: second.crt, keyFile: ./second.key }]\nupstreams: { a: { urls: [https://a.lan] } }',
  );
  t.same(
    material.tls.map(({ certFile, keyFile }) => [certFile, keyFile]),
    [
      [join(folder, 'tls.crt'), join(folder, 'tls.key')],
      [join(folder, 'second.crt'), join(folder, 'second.key')],
    ],
  );
  t.equal(material.tls[1]?.cert, `${second.cert}${second.ca}`, 'with its chain, and without the key between them');
});

t.test('names are relative to the configuration file, wherever the edge was started', async (t) => {
  const folder = await writeMaterial(t);
  await load(folder, 'upstreams: { a: { urls: [https://a.lan] } }');
  const { path, material } = await loadConfig(relative(process.cwd(), join(folder, 'breakwater.yaml')));
  t.equal(path, join(folder, 'breakwater.yaml'));
  t.equal(material.tls[0]?.certFile, join(folder, 'tls.crt'));
});

t.test('an authority that is none', async (t) => {
  const folder = await writeMaterial(t);
  const rejected = { name: 'ConfigError', findings: [{ key: 'upstreams.a.caFile', line: 4 }] };
  for (const name of ['garbage', 'tls.key', 'chain.crt', 'empty'])
    await t.rejects(load(folder, `upstreams: { a: { urls: [https://a.lan], caFile: ${name} } }`), rejected, name);
});

t.test('a key that needs a passphrase', async (t) => {
  const folder = await writeMaterial(t);
  const key = createPrivateKey(readFileSync(join(folder, 'tls.key')));
  const locked = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' });
  writeFileSync(join(folder, 'locked.key'), locked);
  await t.rejects(
    load(folder, 'tls: { certFile: tls.crt, keyFile: locked.key }\nupstreams: { a: { urls: [https://a.lan] } }'),
    { message: /tls\.keyFile: names a file without a private key .* without a passphrase/ },
  );
});

t.test('users: of which file, and who may be one', async (t) => {
  const folder = await writeMaterial(t);
  const hash = `$2y$10$${'a'.repeat(53)}`;
  writeFileSync(join(folder, 'glass'), `hal@break-glass:${hash}\n`);
  writeFileSync(join(folder, 'users'), `ann:${hash}\n`);
  const files = 'htpasswdFile: users, breakGlassFile: glass';
  const upstreams = (credentials: string) => `upstreams: { a: { urls: [https://a.lan], credentials: ${credentials} } }`;
  const delegate = await load(folder, `${upstreams('forward')}\nauth: { mode: delegate, ${files} }`);
  t.match(delegate.material.passwords, { file: join(folder, 'glass'), users: new Map([['hal@break-glass', hash]]) });
  const htpasswd = await load(folder, `${upstreams('none')}\nauth: { mode: htpasswd, ${files} }`);
  t.match(htpasswd.material.passwords, { file: join(folder, 'users'), users: new Map([['ann', hash]]) });
  t.equal((await load(folder, `${upstreams('none')}\nauth: { ${files} }`)).material.passwords, undefined);
  const foreign = load(folder, `${upstreams('forward')}\nauth: { mode: delegate, breakGlassFile: users }`);
  t.match(await foreign.catch((error: unknown) => error), {
    findings: [
      { key: 'auth.breakGlassFile', message: /^ann may be a user of the authority/, remedy: /ann@break-glass/ },
    ],
  });
});

t.test('a secret that is sent in a header fits into one, and is not guessed', async (t) => {
  const folder = await writeMaterial(t);
  for (const [key, setting, read] of [
    ['replication.hookSecretFile', 'replication: { hookSecretFile: secret }', (one: Loaded) => one.material.hookSecret],
    ['adminTokenFile', 'adminTokenFile: secret', (one: Loaded) => one.material.adminToken],
    ['metricsTokenFile', 'metricsTokenFile: secret', (one: Loaded) => one.material.metricsToken],
  ] as const) {
    const keys = `${setting}\nupstreams: { a: { urls: [https://a.lan] } }`;
    for (const good of ['0123456789abcdef', '0123456789abcdef\n', 'Bearer 01 2345 6789'] as const) {
      writeFileSync(join(folder, 'secret'), good);
      t.equal(read(await load(folder, keys)), good.trimEnd(), key);
    }
    for (const bad of [
      '',
      '0123456789abcde\n',
      ' 0123456789abcdef',
      '0123456789abcdef ',
      '0123456789\n0123456789',
      '0123456789abcdéf',
      '0123456789abcdef\t',
    ]) {
      writeFileSync(join(folder, 'secret'), bad);
      const loaded = await load(folder, keys).catch((error: Error) => error);
      // An edge of 0.1 with such a token started.
      const starts = key === 'adminTokenFile' && bad !== '';
      t.equal(!(loaded instanceof Error), starts, `${key}: ${JSON.stringify(bad)}`);
      const told = loaded instanceof Error ? loaded.message : loaded.warnings.map(findingText).join();
      if (!(loaded instanceof Error)) {
        t.match(
          told,
          'so nothing opens this listener but /healthz, /readyz and /vipz; expected one line of at least 16',
        );
        t.match(loaded.material.adminToken, /^[\w+/]{32}$/, 'nobody knows it');
        t.not((await load(folder, keys)).material.adminToken, loaded.material.adminToken);
      }
      t.match(
        told,
        bad === '' ? `${key}: names a file that is empty` : `${key}: names a file whose secret cannot be used`,
      );
      t.notMatch(told, '0123456789', 'which is not shown');
    }
  }
});

t.test('the token of the metrics is not that of the admin listener', async (t) => {
  const folder = await writeMaterial(t);
  writeFileSync(join(folder, 'one'), '0123456789abcdef\n');
  writeFileSync(join(folder, 'two'), '0123456789abcdef');
  const keys = 'adminTokenFile: one\nmetricsTokenFile: two\nupstreams: { a: { urls: [https://a.lan] } }';
  await t.rejects(load(folder, keys), { message: /metricsTokenFile: holds the same token as adminTokenFile/ });
});

t.test('what copies show an upstream', async (t) => {
  const folder = await writeMaterial(t);
  for (const name of ['own', 'probe', 'copy']) writeFileSync(join(folder, name), `${name}-password\n`);
  const user = (name: string) => `{ username: ${name}, passwordFile: ${name}, realmHosts: [auth.lan] }`;
  const cases: [settings: string, user: string | undefined][] = [
    ['', undefined],
    ['credentials: forward', undefined],
    [`credentials: ${user('own')}`, 'own'],
    [`credentials: ${user('own')}, probe: { credentials: ${user('probe')} }`, 'own'],
    [`credentials: forward, probe: { credentials: ${user('probe')} }`, 'probe'],
    [`credentials: none, probe: { credentials: ${user('probe')} }`, 'probe'],
    ['credentials: forward, probe: { credentials: none }', undefined],
    [`credentials: ${user('own')}, replication: { credentials: ${user('copy')} }`, 'copy'],
    [`credentials: forward, probe: { credentials: ${user('probe')} }, replication: { credentials: none }`, undefined],
    [`credentials: ${user('own')}, replication: { credentials: none }`, undefined],
  ];
  for (const [settings, name] of cases) {
    const { config, material } = await load(folder, `upstreams: { a: { urls: [https://a.lan], ${settings} } }`);
    const upstream = config.upstreams.a;
    if (!upstream) throw new Error('no upstream');
    const used = replicationCredentials(upstream);
    t.equal(typeof used === 'object' && 'passwordFile' in used ? used.username : undefined, name, settings);
    t.equal(replicationPassword(upstream, material.upstreams.a ?? {}), name && `${name}-password`, settings);
  }
});
