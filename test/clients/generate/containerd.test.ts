import t from 'tap';
import { containerdFiles } from '../../../src/clients/generate/containerd.ts';
import { FALLBACK, siteOf, textsOf, tomlOf } from '../client-sites.ts';

const HOSTS = '/etc/containerd/certs.d/cr.example.io/hosts.toml';

t.test('the edge as the registry itself', async (t) => {
  const texts = textsOf(containerdFiles({ site: siteOf(), version: '1.7' }));
  t.strictSame(tomlOf(texts[HOSTS]), {
    server: 'https://cr.example.io',
    capabilities: ['pull', 'resolve', 'push'],
    ca: 'ca.crt',
    host: {},
  });
  t.match(texts['/etc/containerd/certs.d/cr.example.io/ca.crt'], /^# Written by .*\n-----BEGIN/);
});

t.test('config.toml has the layout of the version', async (t) => {
  const config = (version: string) =>
    tomlOf(textsOf(containerdFiles({ site: siteOf(), version }))['/etc/containerd/config.toml']);
  const registry = { registry: { config_path: '/etc/containerd/certs.d' } };
  for (const version of ['1.6', '1.7'])
    t.strictSame(config(version), { version: 2, plugins: { 'io.containerd.grpc.v1.cri': registry } });
  for (const version of ['2.0', '2.4'])
    t.strictSame(config(version), { version: 3, plugins: { 'io.containerd.cri.v1.images': registry } });
});

t.test('dial_timeout only where containerd knows it', async (t) => {
  for (const [version, isKnown] of [
    ['1.6', false],
    ['1.7', false],
    ['2.0', false],
    ['2.1', true],
    ['2.4', true],
  ] as const) {
    const { files, notes } = containerdFiles({ site: siteOf(), version });
    t.equal(JSON.stringify(files).includes('dial_timeout'), isKnown, version);
    t.equal(
      notes.some((note) => note.includes('waits 30 s')),
      !isKnown,
      version,
    );
  }
});

t.test('a fallback is the second host, below its path', async (t) => {
  const { files, notes } = containerdFiles({ site: siteOf({ fallback: FALLBACK }), version: '2.1' });
  const text = textsOf({ files, notes })[HOSTS] ?? '';
  const { host } = tomlOf(text) as { host: Record<string, object> };
  t.strictSame(host, {
    'https://cr.example.io': { capabilities: ['pull', 'resolve', 'push'], ca: 'ca.crt', dial_timeout: '5s' },
    'https://asia.gcr.io/v2/example-project': {
      capabilities: ['pull', 'resolve'],
      override_path: true,
      dial_timeout: '5s',
    },
  });
  t.ok(text.indexOf('[host."https://cr.') < text.indexOf('[host."https://asia.'), 'the edge is asked first');
  for (const said of [text, notes.join('\n')]) t.match(said, /tags may be older[\s\S]*rights are those of asia/);
});

t.test('a fallback with an authority, and with the same names', async (t) => {
  const fallback = { host: 'other.lan', ca: 'PEM\n', places: [{ prefix: 'library/', at: 'library/' }] };
  const texts = textsOf(containerdFiles({ site: siteOf({ fallback }), version: '1.6' }));
  t.match(
    texts[HOSTS],
    /\[host\."https:\/\/other\.lan"\]\ncapabilities = \[ "pull", "resolve" \]\nca = "fallback-ca\.crt"\n/,
  );
  t.match(texts['/etc/containerd/certs.d/cr.example.io/fallback-ca.crt'], /PEM/);
});

t.test('a fallback with other names cannot be a second host, which is told', async (t) => {
  const fallback = { ...FALLBACK, places: [{ prefix: 'library/', at: 'example-project/' }] };
  const { files, notes } = containerdFiles({ site: siteOf({ fallback }), version: '2.1' });
  t.notMatch(JSON.stringify(files), 'asia.gcr.io');
  t.match(notes[0], /asia\.gcr\.io is no second host here.*library\/ as example-project\//);
});

t.test('mirrors never ask the registry itself, unless a fallback is wished', async (t) => {
  const mirrors = [
    { registry: 'docker.io', prefix: 'hub/' },
    { registry: 'quay.io', prefix: '' },
  ];
  const parsed = (site: Parameters<typeof siteOf>[0], registry: string) =>
    tomlOf(
      textsOf(containerdFiles({ site: siteOf({ mirrors, ...site }), version: '1.7' }))[
        `/etc/containerd/certs.d/${registry}/hosts.toml`
      ] ?? '',
    );
  const settings = { capabilities: ['pull', 'resolve'], ca: 'ca.crt' };
  const below = { capabilities: ['pull', 'resolve'], override_path: true, ca: 'ca.crt' };
  t.strictSame(parsed({}, 'docker.io'), { server: 'https://cr.example.io/v2/hub', ...below, host: {} });
  t.strictSame(parsed({}, 'quay.io'), { server: 'https://cr.example.io', ...settings, host: {} });
  t.strictSame(parsed({ fallback: FALLBACK }, 'docker.io'), {
    server: 'https://registry-1.docker.io',
    host: { 'https://cr.example.io/v2/hub': below },
  });
  t.strictSame(parsed({ fallback: FALLBACK }, 'quay.io'), {
    server: 'https://quay.io',
    host: { 'https://cr.example.io': settings },
  });
});
