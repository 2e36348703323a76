import fc from 'fast-check';
import t from 'tap';
import {
  type AbsenceFacts,
  classify,
  confirmAbsence,
  type Outcome,
  optionsFailure,
  type ResultFacts,
  retryAfterMs,
} from '../../src/failover/classify.ts';
import type { ProofState } from '../../src/failover/proof.ts';
import { propertyRuns } from '../helpers/property-runs.ts';
import { NOW } from './made-view.ts';

function outcomeOf(facts: Partial<ResultFacts>): Outcome {
  const usual = {
    wwwAuthenticate: undefined,
    retryAfter: undefined,
    credentials: 'none',
    authorityDead: false,
    redirected: false,
    content: 'blob',
    method: 'GET',
    range: undefined,
    anyRange: false,
    conditional: false,
    digest: undefined,
    contentType: 'application/octet-stream',
    contentRange: undefined,
    contentLength: 10,
    toldDigest: undefined,
  } as const;
  return classify({ status: 200, ...usual, ...facts }, NOW);
}

const SERVED = { outcome: 'served' };
const REFUSED = { outcome: 'refused' };
const failed = (reason: string, more = {}) => ({ outcome: 'failed', reason, ...more });
const BEARER = 'Bearer realm="https://harbor.lan/service/token",service="harbor-registry"';

t.test('"What an attempt\'s result means", row by row', async (t) => {
  const rows: [string, Partial<ResultFacts>, unknown][] = [
    ['200', { status: 200 }, SERVED],
    ['202', { status: 202 }, failed('malformed', { detail: 'it answers 202 to a GET' })],
    ['206 to a Range', { status: 206, range: 'bytes=0-9', contentRange: 'bytes 0-9/20' }, SERVED],
    [
      '206 without a Range',
      { status: 206, contentRange: 'bytes 0-9/20' },
      failed('malformed', { detail: 'it answers 206 to a request without Range' }),
    ],
    ['304 to a condition', { status: 304, conditional: true }, SERVED],
    ...[301, 302, 303, 307, 308].map((status): [string, Partial<ResultFacts>, unknown] => [
      `${status}`,
      { status },
      { outcome: 'redirect' },
    ]),
    ['403 of storage behind a redirect', { status: 403, credentials: 'forward', redirected: true }, failed('storage')],
    ['404 of storage behind a redirect', { status: 404, redirected: true }, failed('storage')],
    ['416 of storage behind a redirect', { status: 416, redirected: true }, REFUSED],
    ['400 of storage behind a redirect', { status: 400, redirected: true }, failed('storage')],
    ['500 of storage behind a redirect', { status: 500, redirected: true }, failed('status-5xx')],
    ['305 of storage behind a redirect', { status: 305, redirected: true }, failed('malformed')],
    ['404, not confirmed yet', { status: 404 }, { outcome: 'absent', confirmed: false, forClient: false }],
    [
      "404 to the client's own",
      { status: 404, credentials: 'forward' },
      { outcome: 'absent', confirmed: false, forClient: true },
    ],
    ["401 to the client's own", { status: 401, credentials: 'forward', wwwAuthenticate: BEARER }, REFUSED],
    ["403 to the client's own", { status: 403, credentials: 'forward' }, REFUSED],
    ['401 to injected ones', { status: 401, credentials: 'static', wwwAuthenticate: BEARER }, failed('credentials')],
    ['403 to injected ones', { status: 403, credentials: 'static' }, failed('credentials')],
    ['401 to none', { status: 401, credentials: 'none', wwwAuthenticate: 'Basic realm="x"' }, failed('credentials')],
    ['403 to none', { status: 403, credentials: 'none' }, failed('credentials')],
    ['Harbor without its database: no challenge', { status: 401, credentials: 'forward' }, failed('authority-dead')],
    ['the same, empty', { status: 401, credentials: 'forward', wwwAuthenticate: '' }, failed('authority-dead')],
    [
      'the same to injected ones',
      { status: 401, credentials: 'static', wwwAuthenticate: '' },
      failed('authority-dead'),
    ],
    [
      'its health says so',
      { status: 401, credentials: 'forward', wwwAuthenticate: BEARER, authorityDead: true },
      failed('authority-dead'),
    ],
    ['its health says so, but it denies', { status: 403, credentials: 'forward', authorityDead: true }, REFUSED],
    ['its health says so, but it serves', { status: 200, authorityDead: true }, SERVED],
    ...[400, 405, 412, 416].map((status): [string, Partial<ResultFacts>, unknown] => [
      `${status}`,
      { status },
      REFUSED,
    ]),
    ['429', { status: 429, retryAfter: '7' }, failed('rate-limited', { retryAfterMs: 7000 })],
    ['503 with a time', { status: 503, retryAfter: '7' }, failed('status-5xx', { retryAfterMs: 7000 })],
    ['503 without a time', { status: 503 }, failed('status-5xx')],
    ['500 with a time', { status: 500, retryAfter: '7' }, failed('status-5xx')],
    ['429 without a time', { status: 429 }, failed('rate-limited', { retryAfterMs: 5000 })],
    ...[500, 502, 503, 504, 507, 599].map((status): [string, Partial<ResultFacts>, unknown] => [
      `${status}`,
      { status },
      failed('status-5xx'),
    ]),
    ...[100, 101, 199, 300, 305, 399].map((status): [string, Partial<ResultFacts>, unknown] => [
      `${status}`,
      { status },
      failed('malformed'),
    ]),
  ];
  for (const [name, facts, expected] of rows) t.strictSame(outcomeOf(facts), expected, name);
});

t.test('a 404 is what the canary makes of it', async (t) => {
  const rows: [Omit<AbsenceFacts, 'proof'> & { state?: ProofState }, unknown][] = [];
  const unproven = failed('unproven', { detail: 'it lists nothing' });
  const unclear = {
    ...{ outcome: 'failed', reason: 'content-unclear' },
    detail: 'it answers 404, and may have lost content',
  };
  const lost = { outcome: 'failed', reason: 'content-lost', detail: 'it answers 404, but it has lost content' };
  for (const credentials of ['static', 'none'] as const) {
    const absent = (confirmed: boolean) => ({ outcome: 'absent', confirmed, forClient: false });
    rows.push(
      [{ credentials, canary: 'good' }, absent(true)],
      [{ credentials, canary: 'none' }, absent(false)],
      [{ credentials, canary: 'failing' }, failed('canary')],
      [{ credentials, canary: 'good', known: true }, absent(false)],
      [{ credentials, canary: 'none', deleted: true }, absent(true)],
      [{ credentials, canary: 'good', known: true, deleted: true }, absent(true)],
      [{ credentials, canary: 'failing', deleted: true }, failed('canary')],
      [{ credentials, canary: 'none', state: 'allowed' }, absent(false)],
      [{ credentials, canary: 'none', state: 'unproven' }, unproven],
      [{ credentials, canary: 'none', state: 'unknown' }, unproven],
      [{ credentials, canary: 'none', state: 'unknown', deleted: true }, absent(true)],
      [{ credentials, canary: 'none', state: 'unproven', deleted: true }, unproven],
      [{ credentials, canary: 'failing', state: 'unproven' }, failed('canary')],
      [{ credentials, canary: 'good', state: 'unproven' }, absent(true)],
      [{ credentials, canary: 'good', trust: 'lost' }, lost],
      [{ credentials, canary: 'none', known: true, trust: 'lost' }, lost],
      [{ credentials, canary: 'good', trust: 'unclear' }, unclear],
      [{ credentials, canary: 'good', trust: 'believed' }, absent(true)],
      [{ credentials, canary: 'good', deleted: true, trust: 'lost' }, absent(true)],
    );
  }
  const hidden = { outcome: 'absent', confirmed: true, forClient: true };
  rows.push(
    [{ credentials: 'forward', canary: 'good' }, hidden],
    [{ credentials: 'forward', canary: 'good', known: true }, hidden],
    [{ credentials: 'forward', canary: 'none' }, hidden],
    [{ credentials: 'forward', canary: 'failing' }, failed('canary')],
    // Nothing was read yet, but it may hide this content from this client alone (rule 3).
    [{ credentials: 'forward', canary: 'none', state: 'unknown' }, hidden],
    [{ credentials: 'forward', canary: 'none', state: 'unknown', permitted: true }, unproven],
    [{ credentials: 'forward', canary: 'none', state: 'unproven' }, unproven],
    [{ credentials: 'forward', canary: 'good', permitted: true }, hidden],
    [{ credentials: 'forward', canary: 'good', trust: 'lost' }, hidden],
    [{ credentials: 'forward', canary: 'good', trust: 'unclear' }, hidden],
    [{ credentials: 'forward', canary: 'good', permitted: true, trust: 'lost' }, lost],
    [{ credentials: 'forward', canary: 'good', permitted: true, trust: 'unclear' }, unclear],
    [
      { credentials: 'forward', canary: 'none', permitted: true },
      { ...hidden, confirmed: false },
    ],
    [
      { credentials: 'forward', canary: 'good', permitted: true, known: true },
      { ...hidden, confirmed: false },
    ],
  );
  for (const [facts, expected] of rows) {
    const { state = 'proven', ...others } = facts;
    const proof = { state, since: 0, reason: 'it lists nothing' };
    t.strictSame(confirmAbsence({ ...others, proof }), expected, JSON.stringify(facts));
  }
});

t.test('Retry-After', async (t) => {
  const rows: [string | undefined, number][] = [
    [undefined, 5000],
    ['', 5000],
    ['0', 0],
    ['2', 2000],
    [' 2 ', 2000],
    ['86400', 300_000],
    ['99999999999999999999', 300_000],
    ['9'.repeat(400), 300_000],
    [new Date(NOW + 10_000).toUTCString(), 9500],
    [new Date(NOW - 10_000).toUTCString(), 0],
    [new Date(NOW + 86_400_000).toUTCString(), 300_000],
    ['Monday, 04-May-26 03:02:11 GMT', 9500],
    ['Mon and nothing else', 5000],
    ['(at) Mon, 04 May 2026 03:02:11 GMT', 5000],
    ['1.5', 5000],
    ['-5', 5000],
    ['1e3', 5000],
    ['soon', 5000],
    ['May', 5000],
  ];
  for (const [header, expected] of rows)
    t.equal(retryAfterMs(header, NOW), expected, JSON.stringify(header?.slice(0, 40)));
});

t.test('property: every status has an outcome; a rest is within bounds', async () => {
  const facts = fc.record({
    status: fc.integer({ min: 100, max: 999 }),
    wwwAuthenticate: fc.option(fc.oneof(fc.string(), fc.constant(BEARER)), { nil: undefined }),
    retryAfter: fc.option(fc.oneof(fc.string(), fc.nat().map(String)), { nil: undefined }),
    credentials: fc.constantFrom('forward' as const, 'static' as const, 'none' as const),
    authorityDead: fc.boolean(),
    redirected: fc.boolean(),
    content: fc.constantFrom('manifest', 'blob', 'tags', 'referrers', 'catalog', 'ping'),
    method: fc.constantFrom('GET', 'HEAD'),
    range: fc.option(fc.constant('bytes=0-9'), { nil: undefined }),
    anyRange: fc.constant(false),
    conditional: fc.boolean(),
    digest: fc.constant(undefined),
    contentType: fc.constantFrom('application/octet-stream', 'text/html', undefined),
    contentRange: fc.option(fc.constant('bytes 0-9/20'), { nil: undefined }),
    contentLength: fc.constant(undefined),
    toldDigest: fc.constant(undefined),
  }) as fc.Arbitrary<ResultFacts>;
  fc.assert(
    fc.property(facts, (given) => {
      const result = classify(given, NOW);
      if (result.outcome === 'served')
        return [200, given.range && 206, given.conditional && 304].includes(given.status);
      // Nobody is told that their password is wrong but for their own credentials.
      if (result.outcome === 'refused' && [401, 403].includes(given.status)) return given.credentials === 'forward';
      if (result.outcome === 'absent') return given.status === 404;
      if (result.outcome !== 'failed' || result.retryAfterMs === undefined) return true;
      return [429, 503].includes(given.status) && result.retryAfterMs >= 0 && result.retryAfterMs <= 300_000;
    }),
    { numRuns: propertyRuns(1000) },
  );
});

t.test('answers to OPTIONS', (t) => {
  const failureOf = (status: number, more: Partial<ResultFacts> = {}) =>
    optionsFailure({ status, credentials: 'forward', wwwAuthenticate: BEARER, authorityDead: false, ...more });
  for (const status of [200, 204, 400, 401, 403, 404, 405, 501]) t.equal(failureOf(status), undefined, `${status}`);
  for (const credentials of ['none', 'static'] as const)
    for (const status of [401, 403])
      t.equal(failureOf(status, { credentials }), 'credentials', `${credentials} ${status}`);
  t.equal(failureOf(401, { wwwAuthenticate: undefined }), 'authority-dead');
  t.equal(failureOf(401, { authorityDead: true }), 'authority-dead');
  t.equal(failureOf(429), 'rate-limited');
  for (const status of [500, 502, 503, 504, 599]) t.equal(failureOf(status), 'status-5xx', `${status}`);
  for (const status of [300, 302, 304, 308]) t.equal(failureOf(status), 'malformed', `${status}`);
  t.end();
});
