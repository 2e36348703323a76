import { SignJWT } from 'jose';
import t from 'tap';
import { Sessions } from '../../src/admin/session.ts';
import { CLOCK_STEPS } from '../helpers/host-clock.ts';
import { cookieIn, startAdminSite, TOKEN } from './admin-site.ts';

t.test('a browser gets a form, logs in, and logs out', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN });
  const form = await site.ask('/', { headers: { accept: 'text/html,application/xhtml+xml' } });
  t.equal(form.status, 401);
  t.match(form.headers, { 'content-type': 'text/html; charset=utf-8', 'referrer-policy': 'same-origin' });
  t.match(
    form.headers['content-security-policy'],
    /^default-src 'none'; .*form-action 'self'; frame-ancestors 'none'$/,
  );
  t.match(form.body, /<form method="post" action="\/login">\n<input name="user" [^>]* hidden>\n<label for="token">/);
  t.notMatch(form.body, '<script');

  const wrong = await site.logIn('wrong');
  t.match(wrong, { status: 401, body: /This is not the token of the admin listener/ });
  t.notOk(wrong.headers['set-cookie']);
  const empty = await site.logIn('');
  t.equal(empty.status, 401);
  t.same(site.wrong, ['127.0.0.1']);

  const right = await site.logIn(` ${TOKEN}\n`);
  t.match(right, { status: 303, headers: { location: '/' } });
  const [set = ''] = right.headers['set-cookie'] ?? [];
  t.match(set, /^breakwater_admin=[\w-]+\.[\w-]+\.[\w-]+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
  t.notMatch(set, TOKEN);
  const cookie = cookieIn(right);
  t.match(await site.ask('/', { headers: { cookie } }), { status: 200, body: 'GET / session' });
  t.match(await site.ask('/login', { headers: { cookie } }), { status: 303, headers: { location: '/' } });

  const origin = `http://127.0.0.1:${site.port}`;
  const out = await site.ask('/logout', { method: 'POST', headers: { cookie, origin } });
  t.match(out, { status: 303, headers: { location: '/' } });
  t.match(out.headers['set-cookie'], ['breakwater_admin=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict']);

  await site.bearer('/api/accept?what=harbor', TOKEN, { method: 'POST' });
  await site.bearer('/api/accept?what=harbor', 'wrong', { method: 'POST' });
  await site.ask('/api/accept?what=gcr', { method: 'POST', headers: { cookie, origin } });
  await site.ask('/api/accept?what=gcr', { method: 'POST', headers: { cookie, origin: 'http://evil.lan' } });
  const [client, what] = ['127.0.0.1', undefined];
  const changes = [
    { client, path: '/login', what, status: 303 },
    { client, path: '/logout', what, status: 303 },
    { client, path: '/api/accept', what: 'harbor', status: 200 },
    { client, path: '/api/accept', what: 'gcr', status: 200 },
  ];
  t.same(site.changes, changes, 'all that was let through to change something');
});

t.test('the cookie is Secure where the browser came by https', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN, hosts: ['admin.example.io'] });
  const https = { origin: 'https://admin.example.io', host: 'admin.example.io' };
  t.match((await site.logIn(TOKEN, https)).headers['set-cookie']?.[0], /; Secure$/);
  t.match((await site.logIn(TOKEN, { 'x-forwarded-proto': 'https' })).headers['set-cookie']?.[0], /; Secure$/);
  t.notMatch((await site.logIn(TOKEN)).headers['set-cookie']?.[0], /Secure/);
});

t.test('pages of other sites neither log in nor change anything', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN });
  const cookie = await site.cookie();
  const own = `http://127.0.0.1:${site.port}`;
  for (const [headers, allowed] of [
    [{ origin: own }, true],
    [{ origin: own, 'sec-fetch-site': 'same-origin' }, true],
    [{ origin: 'http://other.example', 'sec-fetch-site': 'same-origin' }, true, 'a proxy may have changed the Host'],
    [{}, false],
    [{ origin: 'null' }, false],
    [{ origin: '' }, false],
    [{ origin: 'http://127.0.0.1' }, false],
    [{ origin: `http://127.0.0.1:${site.port + 1}` }, false],
    [{ origin: `http://localhost:${site.port}` }, false],
    [{ origin: `http://127.0.0.1:${site.port}.evil.example` }, false],
    [{ origin: 'http://evil.example' }, false],
    [{ origin: own, 'sec-fetch-site': 'cross-site' }, false],
    [{ origin: own, 'sec-fetch-site': 'same-site' }, false],
    [{ origin: own, 'sec-fetch-site': 'none' }, false],
    [{ referer: `${own}/` }, false],
  ] as const) {
    const why = JSON.stringify(headers);
    for (const path of ['/api/maintenance', '/logout', '/'])
      for (const method of ['POST', 'DELETE'])
        t.equal(
          (await site.ask(path, { method, headers: { cookie, ...headers } })).status === 403,
          !allowed,
          `${method} ${path} ${why}`,
        );
    const logIn = { method: 'POST', headers, body: `token=${TOKEN}` };
    t.equal((await site.ask('/login', logIn)).status, allowed ? 303 : 403, `log in ${why}`);
    t.equal((await site.ask('/', { headers: { cookie, ...headers } })).status, 200, `read ${why}`);
  }
  for (let index = 0; index < 20; index += 1)
    await site.ask('/login', { method: 'POST', headers: { origin: 'http://evil.example' }, body: 'token=wrong' });
  t.same(site.wrong, [], 'nor do they use up the tries of their visitor');
});

t.test('a session ends', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN });
  const cookie = await site.cookie();
  const status = async () => (await site.ask('/', { headers: { cookie } })).status;
  site.ahead = 12 * 3_600_000 - 1000;
  t.equal(await status(), 200);
  site.ahead = 12 * 3_600_000 + 61_000;
  t.equal(await status(), 401);
  site.ahead = 0;
  t.equal(await status(), 200);
  site.access = { ...site.access, token: 'another-token-of-the-admin' };
  t.equal(await status(), 401, 'with the token that it was begun with');
});

t.test('a clock that was set ends no session in use, and prolongs none for days', async (t) => {
  const HOUR = 3_600_000;
  for (const [name, step] of Object.entries(CLOCK_STEPS)) {
    const reading = { monotonic: 1e9, wall: 1_800_000_000_000 };
    const sessions = new Sessions(TOKEN, () => reading);
    const cookie = (await sessions.start(false)).split(';')[0];
    t.equal(await sessions.isIn(cookie), true);
    reading.wall += step;
    t.equal(await sessions.isIn(cookie), true, name);
    reading.monotonic += 12 * HOUR + 60_001;
    t.equal(await sessions.isIn(cookie), false, `${name}: it has had its time`);
  }
  const reading = { monotonic: 1e9, wall: 1_800_000_000_000 };
  const cookie = (await new Sessions(TOKEN, () => reading).start(false)).split(';')[0];
  reading.wall -= 8 * 24 * HOUR;
  t.equal(await new Sessions(TOKEN, () => reading).isIn(cookie), false, 'of another edge whose clock was ahead');
});

t.test('another edge with the same token knows it, one with another token does not', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN });
  const cookie = await site.cookie();
  t.equal(await new Sessions(TOKEN).isIn(cookie), true);
  t.equal(await new Sessions(`${TOKEN}x`).isIn(cookie), false);
});

t.test('forged sessions', async (t) => {
  const sessions = new Sessions(TOKEN);
  const good = cookieIn({ status: 303, headers: { 'set-cookie': [await sessions.start(false)] }, body: '' });
  const [, jwt = ''] = good.split('=');
  const [header = '', payload = '', signature = ''] = jwt.split('.');
  const encoded = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url');
  const hour = Math.floor(Date.now() / 1000) + 3600;
  const signedBy = (key: string) =>
    new SignJWT().setProtectedHeader({ alg: 'HS256' }).setExpirationTime(hour).sign(new TextEncoder().encode(key));
  for (const forged of [
    '',
    TOKEN,
    'null',
    `${header}.${payload}.`,
    `${header}.${payload}`,
    `${encoded({ alg: 'none' })}.${encoded({ exp: hour })}.`,
    `${encoded({ alg: 'none' })}.${payload}.${signature}`,
    `${header}.${encoded({ exp: hour + 99_999 })}.${signature}`,
    await signedBy(TOKEN),
    await signedBy('breakwater admin session 1'),
  ])
    t.equal(await sessions.isIn(`breakwater_admin=${forged}`), false, forged);
  for (const header of [
    undefined,
    '',
    ';',
    '=',
    'breakwater_admin',
    jwt,
    `breakwater_admin2=${jwt}`,
    `x=breakwater_admin=${jwt}`,
  ])
    t.equal(await sessions.isIn(header), false, String(header));
  for (const header of [good, `a=b; ${good}`, `${good};a=b`, `breakwater_admin=x; ${good}`])
    t.equal(await sessions.isIn(header), true, header);
  t.equal(await sessions.isIn(`${'breakwater_admin=x; '.repeat(400)}${good}`), false, 'not all of many are tried');
});

t.test('forms that are none', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN });
  const origin = `http://127.0.0.1:${site.port}`;
  for (const [body, status] of [
    ['', 401],
    ['token', 401],
    [`{"token":"${TOKEN}"}`, 401],
    [`token=${'x'.repeat(60_000)}`, 401],
    [`token=${'x'.repeat(70_000)}`, 413],
    [`a=b&token=${TOKEN}&token=x`, 303],
  ] as const)
    t.equal(
      (await site.ask('/login', { method: 'POST', headers: { origin }, body })).status,
      status,
      body.slice(0, 40),
    );
  const huge = await site.ask('/', { headers: { cookie: `a=${'x'.repeat(9000)}` } });
  t.equal(huge.status, 431);
});
