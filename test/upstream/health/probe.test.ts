import t from 'tap';
import type { ProbeGet } from '../../../src/upstream/health/byte-range-probe.ts';
import { Canary } from '../../../src/upstream/health/canary.ts';
import { probe, readCanary } from '../../../src/upstream/health/probe.ts';
import type { ProbeAccess } from '../../../src/upstream/health/probe-access.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';
import { type Scripted, scriptedGet } from '../made-answer.ts';

const D = `sha256:${'a'.repeat(64)}`;
const WELL: Record<string, Scripted | Error> = {
  '/v2/': {},
  '/v2/library/canary/manifests/latest': { body: { layers: [{ digest: D, size: 3 }] } },
  [`/v2/library/canary/blobs/${D}`]: { status: 206, body: 'x' },
};
const CANARY = '/v2/library/canary/manifests/latest';
const HEALTH = '/api/v2.0/health';
const INFO = '/api/v2.0/systeminfo';
const signal = new AbortController().signal;

/** A probe without credentials of its own. */
const plain = (get: ProbeGet): ProbeAccess => ({
  get,
  getWithout: undefined,
  refused: false,
  confirmRefused: async () => false,
});

function look(
  table: Record<string, Scripted | Error>,
  kind: 'registry' | 'harbor' = 'registry',
  image: string | undefined = 'library/canary',
) {
  const { get, asked } = scriptedGet(table);
  return probe(kind, new Canary(image), plain(get), signal).then((report) => ({
    ...report,
    asked: asked.map((one) => one.path),
  }));
}

t.test('up or down is what /v2/ and the canary say', async (t) => {
  t.match(await look(WELL), {
    ok: true,
    canary: 'good',
    reason: 'canary blob was read',
    readOnly: undefined,
    unhealthy: undefined,
  });
  t.match(await look({ '/v2/': { status: 401 } }, 'registry', ''), {}, 'a name at all');
  const rows: [string, Record<string, Scripted | Error>, string][] = [
    ['an error', { ...WELL, '/v2/': { status: 502 } }, '/v2/ answers 502'],
    ['no registry', { ...WELL, '/v2/': { status: 404 } }, '/v2/ answers 404'],
    ['a redirect to a login page', { ...WELL, '/v2/': { status: 302 } }, '/v2/ answers 302'],
    [
      'no answer',
      { '/v2/': new UpstreamError('connect', 'connect ECONNREFUSED 192.0.2.1') },
      'the probe failed (connect)',
    ],
    ['storage gone, /v2/ fine', { '/v2/': {} }, 'canary manifest answers 404'],
  ];
  for (const [name, table, reason] of rows) t.match(await look(table), { ok: false, canary: 'failing', reason }, name);
});

t.test('without a canary the version check decides', async (t) => {
  const { get } = scriptedGet({ '/v2/': { status: 401 } });
  t.match(await probe('registry', new Canary(undefined), plain(get), signal), { ok: true, canary: 'none' });
});

t.test('an edge without a file descriptor has looked at nothing', async (t) => {
  const lack = new UpstreamError('descriptors', 'connect EMFILE 192.0.2.1:443');
  t.match(await look({ '/v2/': lack }), { ok: false, notSent: true, reason: 'the probe failed (descriptors)' });
  t.match(await look({ ...WELL, [CANARY]: lack }), { ok: false, notSent: true });
  t.match(await look({ '/v2/': new UpstreamError('reset', 'x') }), { ok: false, notSent: undefined });
  for (const [error, state] of [[lack, 'none'] as const, [new UpstreamError('reset', 'x'), 'failing'] as const])
    t.equal(await readCanary(new Canary('library/canary'), plain(scriptedGet({ [CANARY]: error }).get)), state);
});

t.test('a probe that ran out of time says so, and no more', async (t) => {
  const { get } = scriptedGet({ '/v2/': new Error('aborted') });
  t.match(await probe('registry', new Canary(undefined), plain(get), AbortSignal.abort()), {
    ok: false,
    reason: 'the probe timed out',
  });
});

t.test('Harbor: what it says of itself beside', async (t) => {
  const components = [
    { name: 'core', status: 'healthy' },
    { name: 'database', status: 'unhealthy' },
    { status: 'odd' },
    null,
  ];
  const harbor = {
    ...WELL,
    [HEALTH]: { body: { status: 'unhealthy', components } },
    [INFO]: { body: { auth_mode: 'ldap_auth', read_only: true } },
  };
  const report = await look(harbor, 'harbor');
  const unhealthy = ['database', 'unnamed', 'unnamed'];
  t.match(report, { ok: true, readOnly: true, authMode: 'ldap_auth', unhealthy }, 'none of it is down');
  t.match(await look({ ...harbor, [INFO]: { body: { read_only: false } } }, 'harbor'), { readOnly: false });
  const { get, asked } = scriptedGet(harbor);
  await probe('harbor', new Canary(undefined), plain(get), signal);
  t.same(
    asked.filter((one) => one.scopes === 'api').map((one) => one.path),
    [HEALTH, INFO],
    'with the user, no token',
  );
  t.notOk((await look(harbor)).asked.includes(HEALTH), 'another registry is not asked');
});

t.test('Harbor: what it does not say is not made up', async (t) => {
  const nothing: (Scripted | Error)[] = [
    { status: 500 },
    { body: '<html>' },
    { body: 'null' },
    { body: { components: 5, other: 1, auth_mode: 7 } },
    new Error('no answer'),
    { body: Buffer.alloc(300_000) },
  ];
  for (const answer of nothing) {
    const report = await look({ ...WELL, [HEALTH]: answer, [INFO]: answer }, 'harbor');
    t.match(report, { ok: true, unhealthy: undefined, readOnly: undefined, authMode: undefined });
  }
});

t.test('a canary read alone: whether a 404 means anything', async (t) => {
  const state = async (table: Record<string, Scripted | Error>, image?: string) =>
    readCanary(new Canary(image), plain(scriptedGet(table).get));
  t.equal(await state(WELL, 'library/canary'), 'good');
  t.equal(await state({ '/v2/': {} }, 'library/canary'), 'failing');
  t.equal(await state(WELL), 'none');
  t.equal(await state({ '/v2/': { status: 401 } }), 'none');
  t.equal(await state({ '/v2/': { status: 503 } }), 'failing', 'nothing to read, but it has to answer');
  t.equal(await state({ '/v2/': new Error('no answer') }), 'failing');
});

t.test('credentials of the probe that are refused are no outage: the canary is read without them', async (t) => {
  const refusals: [string, Scripted | Error][] = [
    ['401 to the token of an ended robot', { status: 401 }],
    ['no token', new UpstreamError('credentials', 'the token service answers 401', undefined, 401)],
  ];
  const withoutThem: [string, Record<string, Scripted | Error>, object][] = [
    ['a public canary', WELL, { ok: true, canary: 'good' }],
    ['a private one', { '/v2/': {}, [CANARY]: { status: 401 } }, { ok: true, canary: 'none', reason: /refused/ }],
    ['one that is hidden', { '/v2/': {} }, { ok: true, canary: 'none' }],
    ['storage fails', { '/v2/': {}, [CANARY]: { status: 500 } }, { ok: false, canary: 'failing' }],
    ['no answer', { '/v2/': {}, [CANARY]: new Error('reset') }, { ok: false, canary: 'failing' }],
  ];
  for (const [why, refusal] of refusals)
    for (const [name, table, expected] of withoutThem)
      for (const refused of [false, true]) {
        const access: ProbeAccess = {
          get: scriptedGet({ ...WELL, [CANARY]: refusal }).get,
          getWithout: scriptedGet(table).get,
          refused,
          confirmRefused: async () => true,
        };
        t.match(await probe('registry', new Canary('library/canary'), access, signal), expected, `${why}: ${name}`);
      }
});

t.test('a denial that the upstream does not confirm is a failure, as with its database down', async (t) => {
  const access: ProbeAccess = {
    get: scriptedGet({ '/v2/': {}, [CANARY]: { status: 401 } }).get,
    getWithout: scriptedGet(WELL).get,
    refused: false,
    confirmRefused: async () => false,
  };
  t.match(await probe('registry', new Canary('library/canary'), access, signal), { ok: false, canary: 'failing' });
});
