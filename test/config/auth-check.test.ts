import t from 'tap';
import { authErrors, authWarnings } from '../../src/config/auth-check.ts';
import { type KeyFinding, keyText } from '../../src/config/key-path.ts';
import { configSchema } from '../../src/config/schema.ts';

const SECRET = { username: 'robot', passwordFile: 'secret' };
const HARBOR = { urls: ['https://harbor.lan'] };
const GCR = { urls: ['https://gcr.example'], credentials: SECRET };
const OTHER = { urls: ['https://other.example'], credentials: 'none' };
const ROUTE = { prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] };

interface Change {
  upstreams?: Record<string, unknown>;
  routes?: unknown[];
  [key: string]: unknown;
}

function configOf(auth: object, change: Change = {}) {
  const forward = 'mode' in auth && auth.mode === 'delegate' ? { credentials: 'forward' } : { credentials: SECRET };
  return configSchema.parse({
    hostname: 'cr.example.io',
    tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
    keyFile: 'edge.key',
    routes: [ROUTE],
    ...change,
    auth,
    upstreams: { harbor: { ...HARBOR, ...forward }, gcr: GCR, other: OTHER, ...change.upstreams },
  });
}

const said = (findings: KeyFinding[]) => findings.map(({ path, message }) => `${keyText(path)}: ${message}`);

const HTPASSWD = { mode: 'htpasswd', htpasswdFile: 'users', access: { '*': ['** pull'] } };
const GLASS = { mode: 'delegate', breakGlassFile: 'users', access: { '*': ['** pull'] } };
const OPEN_ROUTE = { ...ROUTE, anonymous: true };
const NETWORK = ['10.0.0.0/8'];
const ISSUER = { issuer: 'https://kubernetes.lan', jwks: 'https://kubernetes.lan/openid/v1/jwks', audience: 'cr.lan' };

const ERRORS: [name: string, auth: object, change: Change, said: RegExp[]][] = [
  ['open', { mode: 'open' }, {}, []],
  ['open asks an upstream’s users', { mode: 'open' }, { upstreams: { gcr: { ...GCR, credentials: 'forward' } } }, []],
  ['htpasswd', HTPASSWD, {}, []],
  ['no file', { ...HTPASSWD, htpasswdFile: undefined }, {}, [/^auth\.htpasswdFile: .*needs a password file/]],
  [
    'a password of the edge’s that is sent on',
    HTPASSWD,
    { upstreams: { gcr: { ...GCR, credentials: 'forward' }, other: { ...OTHER, credentials: 'forward' } } },
    [/^upstreams\.gcr\.credentials: .*no credentials to forward to gcr/, /^upstreams\.other\.credentials: .*to other/],
  ],
  [
    'both',
    { mode: 'htpasswd' },
    { upstreams: { gcr: { ...GCR, credentials: 'forward' } } },
    [/^auth\.htpasswdFile/, /^upstreams\.gcr\.credentials/],
  ],
  ['delegate', { mode: 'delegate' }, {}, []],
  [
    'an issuer twice',
    { mode: 'delegate', issuers: [ISSUER, ISSUER] },
    {},
    [/^auth\.issuers\[1\]\.issuer: repeats auth\.issuers\[0\]/],
  ],
  [
    'two decide',
    { mode: 'delegate' },
    { upstreams: { gcr: { ...GCR, credentials: 'forward' } } },
    [/^auth\.mode: .*exactly one.*found 2$/],
  ],
  [
    'nobody decides',
    { mode: 'delegate' },
    { upstreams: { harbor: { ...HARBOR, credentials: SECRET } } },
    [/^auth\.mode: .*exactly one.*found 0$/],
  ],
  ['break-glass users', GLASS, {}, []],
];

for (const [name, auth, change, expected] of ERRORS) {
  t.test(`error: ${name}`, async (t) => {
    const findings = authErrors(configOf(auth, change));
    t.ok(
      findings.every(({ remedy }) => remedy !== undefined && remedy.length > 10),
      'with a remedy',
    );
    t.equal(findings.length, expected.length, said(findings).join('\n'));
    for (const [index, text] of said(findings).entries()) t.match(text, expected[index]);
  });
}

const ELSEWHERE = { prefix: 'x/', push: 'other', pull: [{ upstream: 'other' }] };

const WARNINGS: [name: string, auth: object, change: Change, said: RegExp[]][] = [
  ['open says nothing', { mode: 'open' }, { keyFile: undefined }, []],
  ['htpasswd', HTPASSWD, {}, []],
  ['delegate', { mode: 'delegate', realmHosts: ['gitlab.lan'] }, {}, []],
  ['delegate, with issuers', { mode: 'delegate', issuers: [ISSUER] }, {}, []],
  ['issuers in another mode', { mode: 'open', issuers: [ISSUER] }, {}, [/^auth\.issuers: has no effect/]],
  ['break-glass users', GLASS, {}, []],
  ['no key', HTPASSWD, { keyFile: undefined }, [/^keyFile: .*a restart logs every user out/]],
  ['no key', { mode: 'delegate' }, { keyFile: undefined }, [/^keyFile: .*a restart logs every user out/]],
  [
    'an open route, and no network',
    HTPASSWD,
    { routes: [OPEN_ROUTE] },
    [/^auth\.anonymous: routes have anonymous: true/],
  ],
  [
    'a network, and no open route',
    { ...HTPASSWD, anonymous: NETWORK },
    {},
    [/^auth\.anonymous: no route has anonymous: true/],
  ],
  ['both', { ...HTPASSWD, anonymous: NETWORK }, { routes: [OPEN_ROUTE] }, []],
  [
    'a route that leads to nobody who decides',
    { mode: 'delegate' },
    { routes: [ROUTE, ELSEWHERE] },
    [/^routes\[1\]: the upstream with credentials: forward is not in this route/],
  ],
  [
    'one to which only pushes do',
    { mode: 'delegate' },
    { routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'gcr' }] }] },
    [],
  ],
  [
    'one that is open',
    { mode: 'delegate', anonymous: NETWORK },
    { routes: [ROUTE, { ...ELSEWHERE, anonymous: true }] },
    [],
  ],
  [
    'one that is open, and has nothing but the upstream that decides',
    { mode: 'delegate', anonymous: NETWORK },
    { routes: [{ prefix: '', anonymous: true, pull: [{ upstream: 'harbor' }] }] },
    [/^routes\[0\]\.anonymous: this route has only the upstream with credentials: forward/],
  ],
  ['such a route in htpasswd', HTPASSWD, { routes: [ROUTE, ELSEWHERE] }, []],
  [
    'no rule',
    { ...HTPASSWD, access: {} },
    {},
    [/^auth\.access: there are no rules, so every request of a user is denied/],
  ],
  [
    'no rule in an outage',
    { ...GLASS, access: {} },
    {},
    [/^auth\.access: there are no rules, so every request of a break-glass user is denied/],
  ],
  [
    'what is for another mode',
    {
      mode: 'open',
      htpasswdFile: 'users',
      breakGlassFile: 'users',
      realmHosts: ['a.lan'],
      access: { '*': ['** pull'] },
    },
    {},
    [
      /^auth\.htpasswdFile: has no effect in auth\.mode open/,
      /^auth\.breakGlassFile: /,
      /^auth\.realmHosts: /,
      /^auth\.access: /,
    ],
  ],
  [
    'delegate’s in htpasswd',
    { ...HTPASSWD, breakGlassFile: 'users', realmHosts: ['a.lan'] },
    {},
    [/^auth\.breakGlassFile: has no effect in auth\.mode htpasswd/, /^auth\.realmHosts: /],
  ],
  [
    'htpasswd’s in delegate',
    { mode: 'delegate', htpasswdFile: 'users', access: { '*': ['** pull'] }, groups: { ci: ['bob'] } },
    {},
    [/^auth\.htpasswdFile: /, /^auth\.access: has no effect in auth\.mode delegate/, /^auth\.groups: /],
  ],
  [
    'rules for users of the primary',
    { ...GLASS, access: { ann: ['** pull'], '@ops': ['** pull'] }, groups: { ops: ['hal@break-glass', 'bob'] } },
    {},
    [/^auth\.groups\.ops\[1\]: bob is not a break-glass user/, /^auth\.access\.ann: ann is not a break-glass user/],
  ],
  [
    'pushes in an outage',
    { ...GLASS, access: { 'hal@break-glass': ['a/** pull', 'b/** pull,push,delete', 'c push'] } },
    {},
    [
      /\[1\]: break-glass users can only pull; push and delete has no effect/,
      /\[2\]: break-glass users can only pull; push has no effect/,
    ],
  ],
];

for (const [name, auth, change, expected] of WARNINGS) {
  t.test(`warning: ${name}`, async (t) => {
    const findings = authWarnings(configOf(auth, change));
    t.ok(
      findings.every(({ remedy }) => remedy !== undefined && remedy.length > 10),
      'with a remedy',
    );
    t.equal(findings.length, expected.length, said(findings).join('\n'));
    for (const [index, text] of said(findings).entries()) t.match(text, expected[index]);
  });
}

t.test('where the keys of an issuer may come from', async (t) => {
  const accepted = (jwks: string) =>
    configSchema.shape.auth.safeParse({ mode: 'delegate', issuers: [{ ...ISSUER, jwks }] }).success;
  for (const good of [
    'https://a.lan/jwks',
    'https://a.lan:6443/x?y',
    'http://127.0.0.1:8001/jwks',
    'http://localhost/x',
  ])
    t.ok(accepted(good), good);
  for (const bad of ['http://a.lan/jwks', 'https://u:p@a.lan/jwks', 'file:///etc/jwks', 'a.lan', ''])
    t.notOk(accepted(bad), bad);
});
