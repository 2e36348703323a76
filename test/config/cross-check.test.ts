import t from 'tap';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseConfig } from '../../src/config/inspection.ts';

const SECRET = { username: 'robot', passwordFile: 'secret' };
const ACME = { agreeToTerms: true };
const TLS = { certFile: 'tls.crt', keyFile: 'tls.key' };

interface Change {
  upstreams?: Record<string, unknown>;
  routes?: unknown[];
  [key: string]: unknown;
}

/** What is said of a good configuration that is changed so: `level key: message`. */
function said({ upstreams, routes, ...others }: Change): string[] {
  const input = {
    hostname: 'cr.example.io',
    tls: TLS,
    ...others,
    upstreams: { harbor: { urls: ['https://harbor.lan'] }, gcr: { urls: ['https://gcr.example'] }, ...upstreams },
    routes: routes ?? [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] }],
  };
  try {
    const { warnings } = parseConfig(input);
    t.ok(
      warnings.every(({ remedy }) => remedy !== undefined && remedy.length > 10),
      'every warning has a remedy',
    );
    return warnings.map(({ key, message }) => `warning ${key}: ${message}`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    t.ok(
      error.findings.every(({ line, file }) => line === 0 && file === ''),
      'values that are from no file have no place',
    );
    return error.findings.map(({ key, message }) => `error ${key}: ${message}`);
  }
}

/** A route whose second upstream is kept in step. */
function replicated(change: Record<string, unknown> = {}): unknown[] {
  return [
    { prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', replicate: true }], ...change },
  ];
}

/** The same places for another registry. */
function further(push: string, replicate: boolean): unknown[] {
  const pull = [{ upstream: push }, ...(replicate ? [{ upstream: 'gcr', replicate }] : [])];
  return [{ prefix: '', registry: 'docker.io', push, pull }];
}

const TABLE: [name: string, change: Change, said: RegExp[]][] = [
  ['nothing wrong', {}, []],
  [
    'peers with a key',
    { peers: ['https://edge-b.lan', 'https://10.0.0.12:8443', 'https://[fd00::1]'], keyFile: 'edge.key' },
    [],
  ],
  [
    'tokens of a machine of Google, for a registry of Google',
    {
      upstreams: {
        harbor: { urls: ['https://europe-docker.pkg.dev'], credentials: { metadata: 'gcp' } },
        gcr: { urls: ['https://gcr.io'], probe: { credentials: { metadata: 'gcp' } } },
      },
    },
    [],
  ],
  [
    'the same for a registry of others',
    {
      upstreams: { gcr: { urls: ['https://gcr.io.evil.example'], replication: { credentials: { metadata: 'gcp' } } } },
    },
    [
      /^error upstreams\.gcr\.replication\.credentials\.metadata: .* https:\/\/gcr\.io\.evil\.example is no registry of/,
    ],
  ],
  [
    'the same in the clear',
    { upstreams: { gcr: { urls: ['http://gcr.io'], credentials: { metadata: 'gcp' } } } },
    [/^error upstreams\.gcr\.credentials\.metadata: /],
  ],
  [
    'unix sockets',
    { listen: { plain: 'unix:/run/x.sock', admin: 'unix:/run/admin.sock' }, trustedProxies: ['unix:'] },
    [],
  ],
  [
    'a PROXY header on a unix socket',
    { listen: { https: 'unix:/run/x.sock', proxyProtocol: true }, trustedProxies: ['unix:'] },
    [/^error listen\.proxyProtocol: listen\.https is a unix socket, which takes no PROXY header/],
  ],
  [
    'a unix socket with a relative path',
    { listen: { plain: 'unix:x.sock' } },
    [/^error listen\.plain: is "unix:x\.sock"; expected an address and port such as 0\.0\.0\.0:443, or unix:\/PATH/],
  ],
  [
    'a unix socket with a path that is too long',
    { listen: { plain: `unix:/${'x'.repeat(103)}` } },
    [/^error listen\.plain: .*expected a path of at most 103 characters/],
  ],
  [
    'a mode that is none',
    { listen: { socketMode: '888' } },
    [/^error listen\.socketMode: is "888"; expected a mode such as 0660/],
  ],
  ['a plain listener for this machine', { listen: { plain: '127.0.0.1:5000' } }, []],
  ['a plain listener behind an Ingress', { listen: { plain: '0.0.0.0:5000' }, trustedProxies: ['10.0.0.0/8'] }, []],
  [
    'a plain listener for everybody, by mistake',
    { listen: { plain: '0.0.0.0:5000' } },
    [/^error listen\.plain: other machines can reach 0\.0\.0\.0:5000, where nothing is encrypted/],
  ],
  [
    'a plain listener for everybody, knowingly',
    { listen: { plain: '[::]:5000', plainClients: 'all' } },
    [/^warning listen\.plainClients: passwords and tokens of clients cross the network to \[::\]:5000 unencrypted/],
  ],
  [
    'clients of a plain listener that is not there',
    { listen: { plainClients: 'all' } },
    [/^warning listen\.plainClients: has no effect without listen\.plain/],
  ],
  ['a certificate by HTTP-01', { tls: { acme: { ...ACME, dir: 'acme' } }, listen: { http: '0.0.0.0:80' } }, []],
  [
    'a certificate of other edges, by HTTP-01',
    { tls: { acme: ACME }, listen: { http: '0.0.0.0:80' }, peers: ['https://10.0.0.12'], keyFile: 'edge.key' },
    [],
  ],
  [
    'a certificate without a place to keep it, and without a listener',
    { tls: { acme: ACME } },
    [
      /^error tls\.acme: needs dir: without a folder, each start would order another certificate/,
      /^error tls\.acme\.challenge: http-01 needs listen\.http, where the ACME server asks for the answer/,
    ],
  ],
  [
    'a wildcard by HTTP-01',
    { tls: { acme: { ...ACME, dir: 'acme', names: ['*.example.io'] } }, listen: { http: '0.0.0.0:80' } },
    [/^error tls\.acme\.names: \*\.example\.io cannot be verified by http-01/],
  ],
  [
    'DNS-01 without a command',
    { tls: { acme: { ...ACME, dir: 'acme', challenge: 'dns-01' } } },
    [/^error tls\.acme\.dns: dns-01 needs dns\.command, the program that changes DNS/],
  ],
  [
    'no name for which a CA issues',
    { hostname: 'registry', tls: { acme: { ...ACME, dir: 'acme' } }, listen: { http: '0.0.0.0:80' } },
    [/^error tls\.acme: registry is no full host name, so no ACME server issues a certificate for it/],
  ],
  [
    'no agreement, and a wrong key',
    { tls: { acme: { dir: 'acme', derectory: 'https://a.test' } } },
    [/^error tls\.acme\.agreeToTerms: /, /^error tls\.acme\.derectory: is not a known key; did you mean "directory"/],
  ],
  ['an admin listener on loopback', { listen: { admin: '[::1]:9443' } }, []],
  ['one on another loopback address', { listen: { admin: '127.1.2.3:9443' } }, []],
  ['one on localhost', { listen: { admin: 'localhost:9443' } }, []],
  ['one for all, with a token', { listen: { admin: '0.0.0.0:9443' }, adminTokenFile: 'admin.token' }, []],
  [
    'one for all without a token',
    { listen: { admin: '0.0.0.0:9443' } },
    [/^warning listen.admin: other machines can reach 0\.0\.0\.0:9443, and there is no adminTokenFile/],
  ],
  ['one for all IPv6', { listen: { admin: '[::]:9443' } }, [/^warning listen.admin: other machines can reach/]],
  [
    'one on a name, with a token for the metrics only',
    { listen: { admin: 'edge-a.lan:9443' }, metricsTokenFile: 'metrics.token' },
    [/^warning listen.admin: other machines can reach/],
  ],
  [
    'a token for the metrics that opens nothing',
    { metricsTokenFile: 'metrics.token' },
    [/^warning metricsTokenFile: has no effect/],
  ],
  ['peers without a key', { peers: ['https://edge-b.lan'] }, [/^error peers: peers need a shared keyFile/]],
  ['peers unencrypted', { peers: ['http://edge-b.lan'], keyFile: 'k' }, [/^error peers\[0\]: .*a URL such as https/]],
  ['a peer with a path', { peers: ['https://edge-b.lan/x'], keyFile: 'k' }, [/^error peers\[0\]: .*without a path/]],
  ['a peer with a password', { peers: ['https://a:b@edge-b.lan'], keyFile: 'k' }, [/^error peers\[0\]/]],
  [
    'passthrough to nowhere',
    { passthrough: 'ui' },
    [/^error passthrough: no upstream is called "ui"; there are harbor/],
  ],
  [
    'a name of every object is no upstream',
    { passthrough: 'constructor' },
    [/^error passthrough: no upstream is called "constructor"/],
  ],
  [
    'routes with one prefix',
    {
      routes: [
        { prefix: 'a/', pull: [{ upstream: 'harbor' }] },
        { prefix: 'a/', pull: [{ upstream: 'gcr' }] },
      ],
    },
    [/^error routes\[1\]\.prefix: routes\[0\] already has/],
  ],
  [
    'one registry, written twice',
    {
      routes: [
        { prefix: '', registry: 'docker.io', pull: [{ upstream: 'harbor' }] },
        { prefix: '', registry: 'Docker.IO', pull: [{ upstream: 'gcr' }] },
      ],
    },
    [/^error routes\[1\]\.prefix: routes\[0\] already has/],
  ],
  [
    'two registries',
    {
      routes: [
        { prefix: '', registry: 'docker.io', pull: [{ upstream: 'harbor' }] },
        { prefix: '', registry: 'quay.io', pull: [{ upstream: 'gcr' }] },
      ],
    },
    [],
  ],
  [
    'the edge as registry, by its alias in capitals',
    { aliases: ['registry.lan'], routes: [{ prefix: '', registry: 'Registry.LAN', pull: [{ upstream: 'gcr' }] }] },
    [/^error routes\[0\]\.registry: "registry\.lan" is the edge's own name/],
  ],
  [
    'an upstream that nobody uses',
    { upstreams: { spare: { urls: ['https://spare.lan'] } } },
    [/^warning upstreams\.spare: no route uses/],
  ],
  ['used by passthrough alone', { upstreams: { ui: { urls: ['https://ui.lan'] } }, passthrough: 'ui' }, []],
  [
    'pushed to, and not pulled from',
    { routes: [{ prefix: 'a/', push: 'harbor', pull: [{ upstream: 'gcr' }] }] },
    [/^warning routes\[0\]\.push: pushes go to "a\/" on harbor/],
  ],
  [
    'a password unencrypted',
    { upstreams: { gcr: { urls: ['http://gcr.example'], credentials: SECRET } } },
    [/^warning upstreams\.gcr\.credentials: credentials go to gcr\.example unencrypted/],
  ],
  [
    'passwords of clients unencrypted, to a name that looks like loopback',
    { upstreams: { gcr: { urls: ['https://gcr.example', 'http://127.example.com:80'], credentials: 'forward' } } },
    [/^warning upstreams\.gcr\.credentials: credentials go to 127\.example\.com unencrypted/],
  ],
  [
    "the probe's password unencrypted",
    { upstreams: { gcr: { urls: ['http://gcr.example'], probe: { credentials: SECRET } } } },
    [/^warning upstreams\.gcr\.probe\.credentials: credentials go to gcr\.example unencrypted/],
  ],
  ...['localhost:5000', '127.0.0.1', '127.1', '[::1]:5000', 'a.localhost'].map((host): [string, Change, RegExp[]] => [
    `a password to ${host}`,
    { upstreams: { gcr: { urls: [`http://${host}`], credentials: SECRET } } },
    [],
  ]),
  ['nothing unencrypted', { upstreams: { gcr: { urls: ['http://gcr.example'] } } }, []],
  [
    'forward in front of a password',
    {
      upstreams: {
        harbor: { urls: ['https://harbor.lan'], credentials: 'forward' },
        gcr: { urls: ['https://gcr.example'], credentials: SECRET },
      },
    },
    [
      /^warning upstreams\.harbor\.credentials: if harbor lost content that was pushed to it.* would not be noticed/,
      /^warning routes\[0\]\.pull\[1\]: while harbor is down, every client can pull every image of this route from gcr/,
    ],
  ],
  [
    'the same on a route that is read-only',
    {
      upstreams: {
        harbor: { urls: ['https://harbor.lan'], credentials: 'forward' },
        gcr: { urls: ['https://gcr.example'], credentials: SECRET },
      },
      routes: [{ prefix: '', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] }],
    },
    [/^warning routes\[0\]\.pull\[1\]: while harbor is down/],
  ],
  [
    'caFile for http alone',
    { upstreams: { gcr: { urls: ['HTTP://gcr.example'], caFile: 'ca.crt' } } },
    [/^error upstreams\.gcr\.caFile: is for https/],
  ],
  [
    'caFile for some',
    { upstreams: { gcr: { urls: ['http://gcr.example', 'https://gcr.example'], caFile: 'ca.crt' } } },
    [],
  ],
  ['base paths that differ', { upstreams: { gcr: { urls: ['https://gcr.example/a', 'https://gcr.example/b/'] } } }, []],
  [
    'one URL twice',
    { upstreams: { gcr: { urls: ['https://gcr.example/a/', 'https://GCR.example:443/a'] } } },
    [/^error upstreams\.gcr\.urls\[1\]: repeats urls\[0\]/],
  ],
  [
    'a URL with everything that it should not have',
    { upstreams: { gcr: { urls: ['https://u:p@gcr.example/v2?a=b#c'] } } },
    [/urls\[0\]: contains a user or a password/, /urls\[0\]: has a query/, /urls\[0\]: ends in \/v2/],
  ],
  [
    'a canary with a port',
    { upstreams: { gcr: { urls: ['http://gcr.example:5000'], probe: { canary: 'gcr.example/a:1' } } } },
    [],
  ],
  [
    'a canary with the host',
    { upstreams: { gcr: { urls: ['https://gcr.example'], probe: { canary: 'gcr.example/a:1' } } } },
    [/^error upstreams\.gcr\.probe\.canary: begins with the host gcr\.example/],
  ],
  [
    'times that contradict each other',
    {
      upstreams: {
        gcr: { urls: ['https://gcr.example'], probe: { interval: '200ms' }, breaker: { openMax: '1s' } },
      },
    },
    [
      /^warning upstreams\.gcr\.probe\.fastInterval: is 500ms, longer than interval with 200ms/,
      /^warning upstreams\.gcr\.breaker\.openMax: is 1000ms, shorter than open with 5000ms/,
    ],
  ],
  [
    'PROXY headers, and nobody who may send them',
    { listen: { proxyProtocol: true } },
    [/^error listen\.proxyProtocol: trustedProxies is empty/],
  ],
  ['PROXY headers of load balancers', { listen: { proxyProtocol: true }, trustedProxies: ['10.0.0.5'] }, []],
  [
    'everybody trusted',
    { listen: { proxyProtocol: true }, trustedProxies: ['10.0.0.5', '::/0'] },
    [/^warning trustedProxies\[1\]: every client could claim another address/],
  ],
  [
    'clients among the load balancers that send headers',
    {
      listen: { proxyProtocol: true },
      trustedProxies: ['fd00::1', '10.0.0.0/8'],
      auth: { anonymous: ['10.20.0.0/16'] },
    },
    [/^warning trustedProxies\[1\]: .* refused without a PROXY header/],
  ],
  [
    'clients among the load balancers',
    { trustedProxies: ['10.0.0.0/8'], auth: { anonymous: ['10.0.0.0/8'] } },
    [/^warning trustedProxies\[0\]: .* could claim another address/],
  ],
  [
    'peers among the load balancers that send headers',
    {
      listen: { proxyProtocol: true },
      trustedProxies: ['fd00::/64'],
      keyFile: 'edge.key',
      peers: ['https://10.0.0.1', 'https://edge2.lan', 'https://[fd00::2]:8443'],
    },
    [/^warning peers\[2\]: is in trustedProxies/],
  ],
  [
    'load balancers among the clients, or beside them',
    { trustedProxies: ['10.0.0.5', '10.0.1.0/24'], auth: { anonymous: ['10.0.0.0/8', 'fd00::/8', '10.1.1.1'] } },
    [],
  ],
  [
    'replication by the VIP, whose address nobody knows',
    { replication: { when: 'vip' } },
    [/^error replication\.when: when: vip needs the shared address/],
  ],
  ['replication by the VIP', { replication: { when: 'vip', vip: 'fd00::10' } }, []],
  [
    'a VIP that is a network',
    { replication: { when: 'vip', vip: '10.0.0.0/8' } },
    [/^error replication\.vip: is "10\.0\.0\.0\/8"; expected an address/],
  ],
  [
    'a VIP for nothing',
    { replication: { vip: '10.0.0.10' } },
    [/^warning replication\.vip: has no effect with replication\.when: always/],
  ],
  [
    'hooks for nothing',
    { replication: { hookSecretFile: 'hook.secret' } },
    [/^warning replication\.hookSecretFile: webhooks have no effect, because no route/],
  ],
  ['hooks', { replication: { hookSecretFile: 'hook.secret' }, routes: replicated() }, []],
  ['deletions of copies', { routes: replicated({ deletions: 'follow' }) }, []],
  [
    'deletions of nothing',
    {
      routes: [
        { prefix: '', push: 'harbor', deletions: 'follow', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] },
      ],
    },
    [/^warning routes\[0\]\.deletions: has no effect, because no upstream of this route/],
  ],
  [
    'copies of two places to one',
    { upstreams: { hub: { urls: ['https://hub.lan'] } }, routes: [...replicated(), ...further('hub', true)] },
    [/^error routes\[1\]: "" on gcr is written from "" on hub, and by routes\[0\] from "" on harbor/],
  ],
  [
    'copies to where another route pushes',
    { routes: [...replicated(), ...further('gcr', false)] },
    [/^error routes\[1\]: "" on gcr is written from "" on gcr, and by routes\[0\] from "" on harbor/],
  ],
  ['copies of one place under two names', { routes: [...replicated(), ...further('harbor', true)] }, []],
  [
    'copies of nothing',
    { routes: replicated({ push: undefined }) },
    [/^error routes\[0\]\.pull\[1\]\.replicate: .* this route has no push upstream/],
  ],
  [
    'copies to itself',
    { routes: replicated({ push: 'gcr' }) },
    [/^error routes\[0\]\.pull\[1\]\.replicate: gcr is the push upstream/],
  ],
  [
    "copies with clients' credentials",
    {
      upstreams: {
        harbor: { urls: ['https://harbor.lan'], credentials: 'forward', probe: { credentials: 'none' } },
        gcr: { urls: ['https://gcr.example'], credentials: 'forward' },
      },
      routes: replicated(),
    },
    [
      /^error routes\[0\]\.pull\[1\]\.replicate: copies have no credentials for harbor/,
      /^error routes\[0\]\.pull\[1\]\.replicate: copies have no credentials for gcr/,
    ],
  ],
  [
    "copies with the probe's, and with none by choice",
    {
      upstreams: {
        harbor: { urls: ['https://harbor.lan'], credentials: 'forward', probe: { credentials: SECRET } },
        gcr: { urls: ['https://gcr.example'], credentials: 'forward', replication: { credentials: 'none' } },
      },
      routes: replicated(),
    },
    [],
  ],
  [
    'credentials of copies unencrypted',
    { upstreams: { gcr: { urls: ['http://gcr.example'], replication: { credentials: SECRET } } } },
    [/^warning upstreams\.gcr\.replication\.credentials: credentials go to gcr\.example unencrypted/],
  ],
  [
    'routes that meet on an upstream',
    {
      routes: [
        { prefix: 'a/', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'p/' }] },
        { prefix: 'b/', pull: [{ upstream: 'gcr', prefix: 'p/q/' }] },
      ],
    },
    [/^error routes\[1\]\.pull\[0\]: the prefix is ambiguous: "b\/NAME" .* "a\/q\/NAME" .* "p\/q\/NAME" on gcr$/],
  ],
];

for (const [name, change, expected] of TABLE) {
  t.test(name, async (t) => {
    const found = said(change);
    t.equal(found.length, expected.length, found.join('\n'));
    for (const [index, pattern] of expected.entries()) t.match(found[index], pattern);
  });
}
