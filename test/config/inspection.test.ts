import t from 'tap';
import { ConfigError, findingText } from '../../src/config/config-error.ts';
import { parseConfig } from '../../src/config/inspection.ts';

const GOOD = {
  hostname: 'CR.example.io',
  tls: [{ certFile: 'a.crt', keyFile: 'a.key' }],
  upstreams: { harbor: { urls: ['https://harbor.lan'] } },
  routes: [{ prefix: '', registry: 'Docker.io', pull: [{ upstream: 'harbor' }] }],
};

t.test('defaults of the contract', async (t) => {
  const { config } = parseConfig(GOOD);
  t.match(config, {
    aliases: [],
    listen: { https: '0.0.0.0:443', admin: '127.0.0.1:9443' },
    auth: { mode: 'open' },
    drain: { announce: 5000, timeout: 300_000 },
    upstreams: {
      harbor: {
        credentials: 'none',
        probe: { kind: 'registry', interval: 2000, fastInterval: 500, fall: 3, rise: 3, holdDown: 10_000 },
        deadlines: { connect: 2000, manifest: 3000, blob: 5000, stall: 5000 },
        breaker: { consecutive: 5, errorPercent: 50, volume: 20, window: 10_000, open: 5000, openMax: 60_000 },
        maxInFlight: { data: 256, control: 64, queue: 256 },
        hedge: { floor: 150, share: 10 },
      },
    },
    verify: 'first',
    ledger: { tags: 50_000, keep: 604_800_000 },
    routes: [{ onAbsent: 'stop', staleTags: 'warn', pull: [{ upstream: 'harbor', replicate: false }] }],
  });
});

t.test('names of hosts are compared in lower case, so they are kept so', async (t) => {
  const { config } = parseConfig({
    ...GOOD,
    aliases: ['Registry.LAN', '[FE80::1]'],
    upstreams: {
      harbor: {
        urls: ['https://harbor.lan'],
        redirects: { hosts: ['.Example.COM'] },
        credentials: { username: 'Robot', passwordFile: 'Secret', realmHosts: ['Auth.Example.com'] },
      },
    },
  });
  t.equal(config.hostname, 'cr.example.io');
  t.same(config.aliases, ['registry.lan', '[fe80::1]']);
  t.equal(config.routes[0]?.registry, 'docker.io');
  t.same(config.upstreams.harbor?.redirects.hosts, ['.example.com']);
  t.match(config.upstreams.harbor?.credentials, {
    username: 'Robot',
    passwordFile: 'Secret',
    realmHosts: ['auth.example.com'],
  });
});

t.test('hosts of token services and of redirects, with and without a port', async (t) => {
  const accepted = (host: string, key: 'realmHosts' | 'hosts') => {
    const more = key === 'hosts' ? { redirects: { hosts: [host] } } : { realmHosts: [host] };
    try {
      parseConfig({ ...GOOD, upstreams: { harbor: { urls: ['https://harbor.lan'], ...more } } });
      return true;
    } catch (error) {
      return !(error instanceof ConfigError);
    }
  };
  for (const key of ['realmHosts', 'hosts'] as const) {
    for (const good of ['a.lan', 'a.lan:5001', '10.0.0.1', '10.0.0.1:80', '::1', '[::1]', '[::1]:5000', 'A.lan:443'])
      t.ok(accepted(good, key), `${key}: ${good}`);
    for (const bad of ['', 'a.lan:', 'https://a.lan', 'a.lan/token', 'a b', 'a.lan:port', 'u@a.lan', '*.lan', '.'])
      t.notOk(accepted(bad, key), `${key}: ${bad}`);
  }
  t.notOk(accepted('.a.lan', 'realmHosts'), 'a suffix would be too many');
  t.ok(accepted('.a.lan', 'hosts'));
});

t.test('the token service of the users of an authority is that of the edge, too', async (t) => {
  const canary = { username: 'robot', passwordFile: 'x', realmHosts: ['b.lan'] };
  const realms = (auth: object) => {
    const harbor = { urls: ['https://harbor.lan'], credentials: 'forward', realmHosts: ['c.lan:5001'] };
    const upstreams = { harbor, gcr: { urls: ['https://asia.gcr.io'] } };
    const { config } = parseConfig({ ...GOOD, upstreams, keyFile: 'k', auth });
    return [config.upstreams.harbor?.realmHosts, config.upstreams.gcr?.realmHosts];
  };
  t.same(realms({ mode: 'delegate', realmHosts: ['a.lan'], canary }), [['c.lan:5001', 'a.lan', 'b.lan'], []]);
  t.same(realms({ mode: 'open' }), [['c.lan:5001'], []]);
});

t.test('names of hosts', async (t) => {
  const accepted = (hostname: string) => {
    try {
      return parseConfig({ ...GOOD, hostname }).config.hostname === hostname.toLowerCase();
    } catch (error) {
      if (error instanceof ConfigError) return false;
      throw error;
    }
  };
  for (const good of ['a', 'cr', 'cr.example.io', 'a-b.c', '10.0.0.1', '::1', '[::1]', 'fe80::1:2', '::ffff:10.0.0.1'])
    t.ok(accepted(good), good);
  for (const bad of [
    '',
    'a.',
    '.a',
    'a..b',
    '-a',
    'a-',
    'a:443',
    'https://a',
    'a/b',
    'a b',
    'ä',
    '*.a',
    `${'a'.repeat(64)}.b`,
  ])
    t.notOk(accepted(bad), bad);
});

t.test('what is no configuration at all', async (t) => {
  for (const input of [undefined, null, 5, 'x', [], {}]) t.throws(() => parseConfig(input), { name: 'ConfigError' });
  t.throws(() => parseConfig(null), { message: 'the configuration cannot be used:\nis empty; expected a map' });
});

t.test('a finding in words', async (t) => {
  const finding = { file: 'b.yaml', line: 3, column: 4, key: 'a.b', message: 'is odd' };
  t.equal(findingText(finding), 'b.yaml:3:4: a.b: is odd');
  t.equal(findingText({ ...finding, remedy: 'even it' }), 'b.yaml:3:4: a.b: is odd; even it');
  t.equal(findingText({ ...finding, key: '' }), 'b.yaml:3:4: is odd');
  t.equal(findingText({ ...finding, line: 0 }), 'b.yaml: a.b: is odd');
  t.equal(findingText({ ...finding, line: 0, file: '' }), 'a.b: is odd');
});
