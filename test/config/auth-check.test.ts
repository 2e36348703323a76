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

const ERRORS: [name: string, auth: object, change: Change, said: RegExp[]][] = [
  ['open', { mode: 'open' }, {}, []],
  ['open asks an upstream’s users', { mode: 'open' }, { upstreams: { gcr: { ...GCR, credentials: 'forward' } } }, []],
  ['htpasswd', HTPASSWD, {}, []],
  ['no file', { ...HTPASSWD, htpasswdFile: undefined }, {}, [/^auth\.htpasswdFile: .*needs the file/]],
  [
    'a password of the edge’s that is sent on',
    HTPASSWD,
    { upstreams: { gcr: { ...GCR, credentials: 'forward' }, other: { ...OTHER, credentials: 'forward' } } },
    [/^upstreams\.gcr\.credentials: .*none to forward to gcr/, /^upstreams\.other\.credentials: .*to other/],
  ],
  [
    'both',
    { mode: 'htpasswd' },
    { upstreams: { gcr: { ...GCR, credentials: 'forward' } } },
    [/^auth\.htpasswdFile/, /^upstreams\.gcr\.credentials/],
  ],
  ['delegate', { mode: 'delegate' }, {}, []],
  [
    'two decide',
    { mode: 'delegate' },
    { upstreams: { gcr: { ...GCR, credentials: 'forward' } } },
    [/^auth\.mode: .*exactly one.*are 2$/],
  ],
  [
    'nobody decides',
    { mode: 'delegate' },
    { upstreams: { harbor: { ...HARBOR, credentials: SECRET } } },
    [/^auth\.mode: .*exactly one.*are 0$/],
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
  ['break-glass users', GLASS, {}, []],
  ['no key', HTPASSWD, { keyFile: undefined }, [/^keyFile: .*after a restart/]],
  ['no key', { mode: 'delegate' }, { keyFile: undefined }, [/^keyFile: .*after a restart/]],
  ['an open route, and no network', HTPASSWD, { routes: [OPEN_ROUTE] }, [/^auth\.anonymous: routes say/]],
  ['a network, and no open route', { ...HTPASSWD, anonymous: NETWORK }, {}, [/^auth\.anonymous: no route says/]],
  ['both', { ...HTPASSWD, anonymous: NETWORK }, { routes: [OPEN_ROUTE] }, []],
  [
    'a route that leads to nobody who decides',
    { mode: 'delegate' },
    { routes: [ROUTE, ELSEWHERE] },
    [/^routes\[1\]: the upstream that decides is not in this route/],
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
    [/^routes\[0\]\.anonymous: only the upstream that decides/],
  ],
  ['such a route in htpasswd', HTPASSWD, { routes: [ROUTE, ELSEWHERE] }, []],
  ['no rule', { ...HTPASSWD, access: {} }, {}, [/^auth\.access: no rule.*no user may/]],
  ['no rule in an outage', { ...GLASS, access: {} }, {}, [/^auth\.access: no rule.*no break-glass user may/]],
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
      /^auth\.htpasswdFile: is of no effect in auth\.mode open/,
      /^auth\.breakGlassFile: /,
      /^auth\.realmHosts: /,
      /^auth\.access: /,
    ],
  ],
  [
    'delegate’s in htpasswd',
    { ...HTPASSWD, breakGlassFile: 'users', realmHosts: ['a.lan'] },
    {},
    [/^auth\.breakGlassFile: is of no effect in auth\.mode htpasswd/, /^auth\.realmHosts: /],
  ],
  [
    'htpasswd’s in delegate',
    { mode: 'delegate', htpasswdFile: 'users', access: { '*': ['** pull'] }, groups: { ci: ['bob'] } },
    {},
    [/^auth\.htpasswdFile: /, /^auth\.access: is of no effect in auth\.mode delegate/, /^auth\.groups: /],
  ],
  [
    'rules for users of the primary',
    { ...GLASS, access: { ann: ['** pull'], '@ops': ['** pull'] }, groups: { ops: ['hal@break-glass', 'bob'] } },
    {},
    [/^auth\.groups\.ops\[1\]: bob is no break-glass user/, /^auth\.access\.ann: ann is no break-glass user/],
  ],
  [
    'pushes in an outage',
    { ...GLASS, access: { 'hal@break-glass': ['a/** pull', 'b/** pull,push,delete', 'c push'] } },
    {},
    [
      /\[1\]: break-glass users only pull: push and delete is of no effect/,
      /\[2\]: break-glass users only pull: push is/,
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
