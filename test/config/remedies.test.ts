import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConfigError } from '../../src/config/config-error.ts';
import { inspectConfig } from '../../src/config/inspection.ts';
import { loadConfig } from '../../src/config/load.ts';
import { unreadable } from '../../src/config/material-reader.ts';
import { writeMaterial } from './write-material.ts';

// Every remedy that a configuration can bring about, word for word: an operator types it.

const TLS = { certFile: 'tls.crt', keyFile: 'tls.key' };
const HARBOR = { urls: ['https://harbor.lan'] };
const FORWARD = { ...HARBOR, credentials: 'forward' };
const GCR = { urls: ['https://gcr.lan'] };
const KEY = 'head -c 48 /dev/urandom | base64 > edge.key; copy the file to every edge';
const route = (over: object = {}) => ({ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }], ...over });
const copied = (upstream: string) => ({ upstream, replicate: true });
const two = { harbor: HARBOR, gcr: GCR };
const delegate = { auth: { mode: 'delegate' }, upstreams: { harbor: FORWARD, gcr: GCR }, keyFile: 'edge.key' };

const ISSUER = { issuer: 'https://k8s.lan', jwks: 'https://k8s.lan/jwks', audience: 'cr.example.io' };

const acme = (over: object = {}) => ({ tls: { acme: { agreeToTerms: true, dir: 'acme', ...over } } });

const ROWS: [over: object, key: string, remedy: string][] = [
  [
    { tls: { acme: { agreeToTerms: true } }, listen: { http: '0.0.0.0:80' } },
    'tls.acme',
    'add dir: acme; only an edge with peers that have one may leave it away',
  ],
  [acme(), 'tls.acme.challenge', 'add http: 0.0.0.0:80 to listen'],
  [acme({ challenge: 'dns-01' }), 'tls.acme.dns', 'add dns: { command: [/etc/breakwater/change-dns] }'],
  [acme({ names: ['*.a.test'] }), 'tls.acme.names', 'set challenge: dns-01 and dns.command'],
  [
    { ...acme({ challenge: 'dns-01', dns: { command: ['x'] } }), hostname: 'registry' },
    'tls.acme',
    'set names, or make the certificate with breakwater cert leaf',
  ],
  [{ metricsTokenFile: 'm' }, 'metricsTokenFile', 'add adminTokenFile, or remove metricsTokenFile'],
  [
    { auth: { mode: 'htpasswd' }, keyFile: 'k' },
    'auth.htpasswdFile',
    'name one here and create it with: breakwater user add NAME',
  ],
  [{ auth: { mode: 'htpasswd', htpasswdFile: 'x' } }, 'keyFile', `${KEY}, and name it here`],
  [{ peers: ['https://b.lan'] }, 'peers', `${KEY}, and set keyFile`],
  [
    { ...delegate, routes: [route({ anonymous: true, pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] })] },
    'auth.anonymous',
    'list the networks here, or remove anonymous from the routes',
  ],
  [
    { ...delegate, auth: { mode: 'delegate', anonymous: ['10.0.0.0/8'] } },
    'auth.anonymous',
    'set anonymous: true on the routes that they may pull from',
  ],
  [
    { ...delegate, routes: [route(), { prefix: 'a/', pull: [{ upstream: 'gcr' }] }] },
    'routes.1',
    'add that upstream to pull, or set anonymous: true for the networks of auth.anonymous',
  ],
  [
    { ...delegate, routes: [route({ anonymous: true })] },
    'routes.0.anonymous',
    'add an upstream to pull that has { username, passwordFile } or needs no credentials',
  ],
  [
    { auth: { mode: 'htpasswd', htpasswdFile: 'x' }, keyFile: 'k' },
    'auth.access',
    'start with access: { "*": ["** pull"] }',
  ],
  [{ auth: { htpasswdFile: 'x' } }, 'auth.htpasswdFile', 'set auth.mode htpasswd, or remove this key'],
  [
    { auth: { groups: { ci: ['ann'] } } },
    'auth.groups',
    'set auth.mode htpasswd, or delegate with auth.breakGlassFile, or remove this key',
  ],
  [
    { ...delegate, auth: { mode: 'delegate', breakGlassFile: 'x', access: { ann: ['** pull'] } } },
    'auth.access.ann',
    'use a name from auth.breakGlassFile, such as ann@break-glass',
  ],
  [
    { ...delegate, auth: { mode: 'delegate', breakGlassFile: 'x', access: { '*': ['** pull,push'] } } },
    'auth.access.*.0',
    'keep only pull: every push is refused while the primary is down',
  ],
  [{ upstreams: two, routes: [route({ push: 'gcr' })] }, 'routes.0.push', 'add gcr to pull'],
  [
    {
      upstreams: { harbor: FORWARD, gcr: { ...GCR, credentials: { username: 'u', passwordFile: 'p' } } },
      routes: [route({ pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] })],
    },
    'routes.0.pull.1',
    'set auth.mode, keep only public images behind this route, or restrict access to the edge',
  ],
  [
    {
      routes: [
        route({ prefix: 'a/', pull: [{ upstream: 'harbor', prefix: 'x/' }] }),
        route({ prefix: 'b/', pull: [{ upstream: 'harbor', prefix: 'x/' }] }),
      ],
    },
    'routes.1.pull.0',
    'give each route a prefix of its own on that upstream',
  ],
  [
    {
      upstreams: { ...two, quay: { urls: ['https://quay.lan'] } },
      routes: [
        route({ pull: [{ upstream: 'harbor' }, copied('gcr')] }),
        route({ push: 'quay', registry: 'quay.io', pull: [{ upstream: 'quay' }, copied('gcr')] }),
      ],
    },
    'routes.1',
    'give one of the routes another prefix on that upstream',
  ],
  [{ replication: { when: 'vip' } }, 'replication.when', 'set replication.vip, for example 10.0.0.10, or use always'],
  [
    { upstreams: two, routes: [{ prefix: '', pull: [{ upstream: 'harbor' }, copied('gcr')] }] },
    'routes.0.pull.1.replicate',
    'set push, or remove replicate from gcr',
  ],
  [
    { routes: [route({ pull: [copied('harbor')] })] },
    'routes.0.pull.0.replicate',
    'set replicate only on other upstreams',
  ],
  [
    { ...delegate, routes: [route({ pull: [{ upstream: 'harbor' }, copied('gcr')] })] },
    'routes.0.pull.1.replicate',
    'set upstreams.harbor.replication.credentials to { username, passwordFile }, or to none if harbor needs none',
  ],
  [
    { ...delegate, auth: { mode: 'delegate', issuers: [ISSUER, ISSUER] } },
    'auth.issuers.1.issuer',
    'name all audiences in the first entry, and remove this one',
  ],
  [{ replication: { vip: '10.0.0.10' } }, 'replication.vip', 'set when: vip, or remove this key'],
  [
    { replication: { hookSecretFile: 'x' } },
    'replication.hookSecretFile',
    'set replicate: true on an upstream, or remove this key',
  ],
  [{ upstreams: two }, 'upstreams.gcr', 'name it in a route, or remove it'],
  [
    { upstreams: { harbor: { urls: ['http://harbor.lan'], credentials: { username: 'u', passwordFile: 'p' } } } },
    'upstreams.harbor.credentials',
    'use https for it',
  ],
  [
    delegate,
    'upstreams.harbor.credentials',
    'set upstreams.harbor.replication.credentials to { username, passwordFile } of an account that may pull everything, or to none if harbor needs none',
  ],
  [
    { upstreams: { harbor: { ...HARBOR, probe: { interval: '1s', fastInterval: '2s' } } } },
    'upstreams.harbor.probe.fastInterval',
    'set it to less than interval',
  ],
  [
    { upstreams: { harbor: { ...HARBOR, breaker: { open: '2m' } } } },
    'upstreams.harbor.breaker.openMax',
    'set it to at least open',
  ],
];

t.test('what to do about a configuration', async (t) => {
  for (const [over, key, remedy] of ROWS) {
    const base = { hostname: 'cr.example.io', tls: TLS, upstreams: { harbor: HARBOR }, routes: [route()] };
    const { errors, warnings } = inspectConfig({ ...base, ...over });
    const found = [...errors, ...warnings].filter(({ path }) => path.join('.') === key);
    t.ok(
      found.some((one) => one.remedy === remedy),
      `${key}: ${remedy}`,
    );
    if (!found.some((one) => one.remedy === remedy)) t.comment(JSON.stringify([...errors, ...warnings]));
  }
});

t.test('what is expected of a value', async (t) => {
  const base = { hostname: 'cr.example.io', tls: TLS, routes: [route()] };
  const upstream = (over: object) => ({ ...base, upstreams: { harbor: { ...HARBOR, ...over } } });
  const rows: [input: object, message: string][] = [
    [upstream({ probe: { interval: 'soon' } }), 'is "soon"; expected a duration such as 500ms, 2s, 1m or 24h'],
    [upstream({ probe: { fall: 1.5 } }), 'is 1.5; expected a whole number'],
    [upstream({ probe: { allowEmpty: 'no' } }), 'is "no"; expected true or false'],
    [upstream({ urls: ['https://harbor.lan', 'https://harbor.lan/'] }), 'repeats urls[0]; expected each replica once'],
  ];
  for (const [input, message] of rows) t.match(inspectConfig(input).errors, [{ message }]);
});

t.test('why a file cannot be read', async (t) => {
  const rows = { ENOENT: 'does not exist', EACCES: 'may not be read', EPERM: 'may not be read', EISDIR: 'is a folder' };
  for (const [code, says] of Object.entries(rows)) t.equal(unreadable(Object.assign(new Error(), { code })), says);
});

t.test('what to do about a file', async (t) => {
  const folder = await writeMaterial(t);
  writeFileSync(join(folder, 'users'), 'ann:plain\n');
  writeFileSync(join(folder, 'glass'), `ann:$2b$10$${'a'.repeat(53)}\n`);
  writeFileSync(join(folder, 'token'), '0123456789abcdef\n');
  const load = async (keys: object) => {
    const file = join(folder, 'breakwater.yaml');
    const base = {
      hostname: 'cr.example.io',
      tls: TLS,
      keyFile: 'edge.key',
      upstreams: { harbor: FORWARD },
      routes: [route()],
    };
    writeFileSync(file, JSON.stringify({ ...base, ...keys }));
    const loaded = await loadConfig(file).catch((error: unknown) => error);
    return loaded instanceof ConfigError ? loaded.findings : (loaded as { warnings: object[] }).warnings;
  };
  t.match(await load({ keyFile: 'short.key' }), [{ remedy: 'head -c 48 /dev/urandom | base64 > short.key' }]);
  const users = { mode: 'htpasswd', htpasswdFile: 'users' };
  t.match(await load({ auth: users, upstreams: { harbor: HARBOR } }), [
    {
      message: 'line 1: the password of ann is not hashed with bcrypt',
      remedy: 'write the file with breakwater user add',
    },
  ]);
  t.match(await load({ auth: { mode: 'delegate', breakGlassFile: 'glass' } }), [
    { remedy: 'breakwater user add ann@break-glass, and remove ann' },
  ]);
  t.match(await load({ adminTokenFile: 'token', metricsTokenFile: 'token' }), [
    { remedy: 'head -c 24 /dev/urandom | base64 > metrics.token' },
  ]);
  const short = (await load({ adminTokenFile: 'short.key' })) as { key: string }[];
  t.match(
    short.find(({ key }) => key === 'adminTokenFile'),
    { remedy: 'head -c 24 /dev/urandom | base64 > admin.token' },
  );
  t.match(await load({ replication: { hookSecretFile: 'short.key' } }), [
    { remedy: 'head -c 24 /dev/urandom | base64 > hook.secret' },
  ]);
  t.match(await load({ keyFile: 'nothing' }), [{ message: 'names a file that does not exist' }]);
});
