import t from 'tap';
import { parse } from 'yaml';
import { k3sFiles } from '../../../src/clients/generate/k3s.ts';
import { CA, FALLBACK, siteOf, textsOf } from '../client-sites.ts';

const FILE = '/etc/rancher/k3s/registries.yaml';
const k3s = (more: Parameters<typeof siteOf>[0]) => k3sFiles({ site: siteOf(more), version: undefined });
const registries = (more: Parameters<typeof siteOf>[0]) => parse(textsOf(k3s(more))[FILE] ?? '');

t.test('the edge as the registry itself, with its authority and a user', async (t) => {
  const ca_file = '/etc/rancher/k3s/breakwater/cr.example.io.crt';
  t.strictSame(registries({}), { configs: { 'cr.example.io': { tls: { ca_file } } } });
  const user = { name: 'node', password: "a: '$b" };
  t.strictSame(registries({ user }), {
    configs: { 'cr.example.io': { tls: { ca_file }, auth: { username: 'node', password: "a: '$b" } } },
  });
  t.ok(
    k3s({ user }).files.every(({ path, secret }) => secret === (path === FILE || undefined)),
    'which is a secret',
  );
  t.strictSame(k3s({ ca: undefined }).files, [], 'a public authority needs no file');
});

t.test('mirrors and a fallback are endpoints; a path begins with /v2', async (t) => {
  const mirrors = [
    { registry: 'docker.io', prefix: 'hub/' },
    { registry: 'quay.io', prefix: '' },
  ];
  const fallback = { ...FALLBACK, ca: CA };
  const made = registries({ mirrors, fallback });
  t.strictSame(made.mirrors, {
    'cr.example.io': { endpoint: ['https://cr.example.io', 'https://asia.gcr.io/v2/example-project'] },
    'docker.io': { endpoint: ['https://cr.example.io/v2/hub'] },
    'quay.io': { endpoint: ['https://cr.example.io'] },
  });
  t.equal(made.configs['asia.gcr.io'].tls.ca_file, '/etc/rancher/k3s/breakwater/asia.gcr.io.crt');
  const { notes } = k3s({ mirrors, fallback });
  t.match(notes.join('\n'), /tags may be older[\s\S]*disable-default-registry-endpoint/);
});

t.test('k3s does not ask a mirrored registry itself, unless a fallback is wished', async (t) => {
  const mirrors = [{ registry: 'docker.io', prefix: '' }];
  const file = '/etc/rancher/k3s/config.yaml.d/50-breakwater.yaml';
  t.strictSame(parse(textsOf(k3s({ mirrors }))[file] ?? ''), { 'disable-default-registry-endpoint': true });
  t.notOk(textsOf(k3s({}))[file]);
  t.notOk(textsOf(k3s({ mirrors, fallback: FALLBACK }))[file]);
  const old = k3sFiles({ site: siteOf({ mirrors }), version: '1.29' });
  t.notOk(textsOf(old)[file]);
  t.match(old.notes.join('\n'), /k3s asks the registry itself last/);
});

t.test('a fallback with other names cannot be an endpoint, which is told', async (t) => {
  const places = [
    { prefix: 'a/', at: 'x/' },
    { prefix: 'b/', at: 'y/' },
  ];
  const { files, notes } = k3s({ fallback: { ...FALLBACK, places } });
  t.notMatch(JSON.stringify(files), 'asia.gcr.io');
  t.match(notes[0], /asia\.gcr\.io is no second endpoint/);
});
