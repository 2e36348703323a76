import t from 'tap';
import { clientClaims, traceOf } from '../../../src/proxy/request/client-claims.ts';
import { clientRequests, startLabSite } from '../../helpers/lab-site.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const token = (claims: unknown) =>
  `Bearer ${[{ alg: 'RS256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.c2ln`;

t.test('the name that a login or a token claims', async (t) => {
  const table: [name: string, authorization: string | undefined, tried: string | undefined][] = [
    ['none', undefined, undefined],
    ['a login', basic('ann:secret'), 'ann'],
    ['a password with colons', basic('robot$ci:a:b'), 'robot$ci'],
    ['a login without a name', basic(':secret'), undefined],
    ['a login without a password', basic('ann:'), undefined],
    ['a token as name and password', basic('dop_v1_x:dop_v1_x'), undefined],
    ['a token as name', basic('a-token:x-oauth-basic'), undefined],
    ['a token that is known by its beginning', basic('ghp_abc:x'), undefined],
    ['a long name, which may be a token', basic(`${'x'.repeat(65)}:y`), undefined],
    ['a name that turns a line around', basic('a\u202eb\u009bc:y'), 'a?b?c'],
    ['no Base64', 'Basic ???', undefined],
    ['a token', token({ sub: 'ann' }), 'ann'],
    ['a token, written otherwise', token({ sub: 'ann' }).replace('Bearer', 'bearer '), 'ann'],
    ['an anonymous token', token({ sub: '' }), undefined],
    ['a token without a subject', token({ iss: 'x' }), undefined],
    ['a subject that is no text', token({ sub: 1 }), undefined],
    ['a token with a long subject', token({ sub: 'x'.repeat(300) }), 'x'.repeat(256)],
    ['an opaque token', 'Bearer abc', undefined],
    ['a token that only looks like one', 'Bearer a.b.c', undefined],
    ['a huge token', token({ sub: 'x'.repeat(20_000) }), undefined],
  ];
  for (const [name, authorization, tried] of table)
    t.strictSame(clientClaims({ authorization }), tried === undefined ? {} : { tried }, name);
  t.strictSame(clientClaims({ 'user-agent': 'a'.repeat(300) }), { agent: 'a'.repeat(256) });
});

t.test('the trace of a request', async (t) => {
  t.equal(traceOf(PARENT), TRACE);
  t.equal(traceOf(`cc-${PARENT.slice(3)}-what-comes-later`), TRACE, 'of a later version');
  for (const bad of [
    undefined,
    '',
    'x',
    PARENT.slice(1),
    PARENT.toUpperCase(),
    `ff-${PARENT.slice(3)}`,
    PARENT.replace(TRACE, '0'.repeat(32)),
    PARENT.replace('b7ad6b7169203331', '0'.repeat(16)),
    [PARENT, PARENT],
  ])
    t.equal(traceOf(bad), undefined, String(bad));
});

t.test('the log tells who asked, with what, and in which trace; the trace goes on to the upstream', async (t) => {
  const site = await startLabSite(t);
  const headers = {
    authorization: basic('ann:the-password'),
    'user-agent': 'containerd/2.2.0',
    traceparent: PARENT,
    tracestate: 'vendor=1',
  };
  for (const [method, path] of [
    ['GET', '/v2/library/app/manifests/1'],
    ['POST', '/v2/library/app/blobs/uploads/'],
  ] as const) {
    site.edge.forgetLog();
    site.primary.forget();
    await site.edge.http1().ask(path, { method, headers });
    await site.edge.line((line) => line.kind === 'manifest' || line.kind === 'upload');
    t.match(site.edge.requests, [{ tried: 'ann', agent: 'containerd/2.2.0', trace: TRACE, route: '' }]);
    t.notMatch(site.edge.log, /the-password/);
    const sent = clientRequests(site.primary).at(-1)?.headers;
    t.match(sent, { traceparent: PARENT, tracestate: 'vendor=1' }, `${method} ${path}`);
  }
  site.primary.forget();
  await site.edge.http1().ask(`/v2/library/app/blobs/${site.image.digest}`, { headers: { traceparent: 'x' } });
  t.notOk(clientRequests(site.primary).some((request) => 'traceparent' in request.headers));
});

t.test('the name of a wrong login', async (t) => {
  const site = await startLabSite(t, {
    config: { auth: { mode: 'htpasswd', htpasswdFile: 'users' }, keyFile: 'key' },
    settings: { key: Buffer.from('a key that is long enough for this'), users: { ann: '$2b$04$' } },
  });
  const client = site.edge.http1();
  t.match(await client.ask('/auth/token?service=edge.test', { headers: { authorization: basic('eve:x') } }), {
    status: 401,
  });
  const line = await site.edge.line(({ kind }) => kind === 'token');
  t.match(line, { tried: 'eve', status: 401 });
  t.notMatch(line, { user: String });
  const form = new URLSearchParams({
    grant_type: 'password',
    username: 'ghp_secret',
    password: 'x',
    service: 'edge.test',
  });
  for (const ask of [
    { headers: { authorization: basic('dop_v1_secret:dop_v1_secret') } },
    { method: 'POST', body: form.toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  ]) {
    site.edge.forgetLog();
    const path = 'method' in ask ? '/auth/token' : '/auth/token?service=edge.test';
    t.match(await client.ask(path, ask), { status: 401 });
    await site.edge.line(({ kind }) => kind === 'token');
    t.notMatch(site.edge.log, /_secret/, 'a token that is given as a name');
  }
});
