import t from 'tap';
import { PROBE, RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { codeOf, startLabSite } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { startSlowUpstream } from '../../helpers/slow-upstream.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

const HARBOR = { primary: { harbor: true }, config: { passthrough: 'harbor' } };
/** What is neither a probe's nor under /v2/. */
const isPage = ({ url }: { url: string }) => !url.startsWith('/v2/');

t.test('pages and API of the one upstream, with their cookies', async (t) => {
  const site = await startLabSite(t, HARBOR);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    site.primary.forget();
    const headers = { cookie: 'sid=abc; other=1', authorization: 'Basic YTpi', 'x-xsrf-token': 'x' };
    const page = await client.ask('/c/login?next=%2Fharbor%2F..%2Fprojects', { headers });
    t.match(page, { status: 200, complete: true, body: /Harbor/, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.match(page.headers['set-cookie'], [/^sid=lab; Path=\/; HttpOnly$/], 'Set-Cookie');
    for (const name of ['strict-transport-security', 'alt-svc', 'server']) t.equal(page.headers[name], undefined, name);
    const seen = site.primary.requests.find(isPage);
    t.equal(seen?.url, '/c/login?next=%2Fharbor%2F..%2Fprojects', 'path and query as they came');
    t.match(seen?.headers, {
      ...headers,
      host: 'edge.test',
      'x-forwarded-host': 'edge.test',
      'x-forwarded-proto': 'https',
    });
    t.equal((await client.ask('/api/v2.0/ping')).body.toString(), 'Pong');
    t.match(await client.ask('/', { method: 'HEAD' }), { status: 200, complete: true });
    t.equal((await client.ask('/nowhere')).status, 404, 'its own 404');
  }
});

t.test('cookies never go to, nor come from, the registry API; nor does what acts on browsers', async (t) => {
  const forPages = { 'content-security-policy': "default-src 'self'", 'clear-site-data': '"cache"', refresh: '9' };
  const odd = await startOddServer(t, (socket) => {
    const secrets = ['Set-Cookie: sid=1', 'Strict-Transport-Security: max-age=1', 'Alt-Svc: h3=":1"', 'Server: inner'];
    for (const [name, value] of Object.entries(forPages)) secrets.push(`${name}: ${value}`);
    socket.write(
      `HTTP/1.1 200 OK\r\n${secrets.join('\r\n')}\r\nContent-Length: 29\r\n\r\n{"schemaVersion":2,"tags":[]}`,
    );
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }] }],
    passthrough: 'odd',
  });
  for (const client of [edge.http1(), edge.http2()]) {
    for (const [method, path] of [
      ['GET', '/v2/app/manifests/1'],
      ['GET', '/v2/app/tags/list'],
      ['PUT', '/v2/app/manifests/1'],
      ['GET', '/v2/_catalog'],
    ] as const) {
      const reply = await client.ask(path, {
        method,
        headers: { cookie: 'sid=1' },
        ...(method === 'PUT' ? { body: '{}' } : {}),
      });
      if (!path.endsWith('_catalog')) t.equal(reply.status, 200, `${method} ${path}`);
      for (const name of ['set-cookie', 'strict-transport-security', 'alt-svc', 'server', ...Object.keys(forPages)])
        t.equal(reply.headers[name], undefined, name);
      t.equal(reply.headers['x-content-type-options'], 'nosniff');
    }
    const page = await client.ask('/a/page');
    t.match(page.headers, forPages, 'pages keep what they tell browsers');
    t.equal(page.headers['x-content-type-options'], undefined, 'nor is anything added');
    t.equal((await client.ask('/v2/BAD/manifests/1')).headers['x-content-type-options'], 'nosniff');
  }
  t.notOk(
    odd.heads.some((head) => /^cookie:/im.test(head)),
    'no request of the registry API carried one',
  );
});

t.test('paths that an upstream could read as the registry API are refused', async (t) => {
  const site = await startLabSite(t, HARBOR);
  const paths = [
    '//v2/library/app/manifests/1',
    '/%76%32/library/app/manifests/1',
    '/%762/library/app/manifests/1',
    '/%2576%2532/library/app/manifests/1',
    '/V2/library/app/manifests/1',
    '/v2%2flibrary/app/manifests/1',
    '/v2;a=b/library/app/manifests/1',
    '/c/../v2/library/app/manifests/1',
    '/c/..%2fv2/library/app/manifests/1',
    '/c/..%2Fv2%2Flibrary',
    '/c/%2e%2e/v2/library/app/manifests/1',
    '/x/%252e%252e/v2/library/app/manifests/1',
    '/x/%25252e%25252e/v2/library/app/manifests/1',
    '/x/%2525252e%2525252e/v2/library/app/manifests/1',
    '/./v2/library/app/manifests/1',
    '/c/..;/v2/library/app/manifests/1',
    '/c//v2/library/app/manifests/1',
    '/c/%2fv2/library',
    '/c\\..\\v2/library',
    '/c/%5c../v2',
    '/c/%00/v2',
    '/c/..',
  ];
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    site.primary.forget();
    for (const path of paths) {
      for (const method of ['GET', 'PUT']) {
        const reply = await client.ask(path, { method, ...(method === 'PUT' ? { body: '{}' } : {}) });
        t.match(
          { status: reply.status, code: codeOf(reply) },
          { status: 400, code: 'NAME_INVALID' },
          `${method} ${path}`,
        );
      }
    }
    t.strictSame(
      site.primary.requests.filter(({ url }) => url.includes('library') || url.includes('..')),
      [],
    );
    for (const path of ['/c/v2', '/v20/x', '/api/v2.0/ping', '/c/a..b/c', '/c/%7e', '/c/100%25']) {
      const reply = await client.ask(path);
      t.not(reply.status, 400, `${path} is none`);
    }
  }
});

t.test('writes, methods and errors', async (t) => {
  const slow = await startSlowUpstream(t);
  const site = await startLabSite(t);
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      ui: { urls: [slow.url], probe: RARE_PROBE, deadlines: { push: '500ms' } },
      other: { urls: [site.fallback.url], probe: PROBE },
    },
    routes: [{ prefix: '', pull: [{ upstream: 'other' }] }],
    passthrough: 'ui',
  });
  site.fallback.forget();
  for (const client of [edge.http1(), edge.http2()]) {
    slow.once('write', async ({ request, response }) => {
      const body = Buffer.concat(await request.toArray());
      response
        .writeHead(201, { location: `${slow.url}/api/projects/1?a=b`, 'x-method': request.method ?? '' })
        .end(body);
    });
    const posted = await client.ask('/api/v2.0/projects', {
      method: 'POST',
      body: '{"name":"x"}',
      headers: { 'content-type': 'application/json' },
    });
    t.match(
      posted,
      { status: 201, headers: { location: '/api/projects/1?a=b', 'x-method': 'POST' } },
      'a redirect to itself stays here',
    );
    t.equal(posted.body.toString(), '{"name":"x"}');
    slow.once('write', ({ response }) => response.writeHead(302, { location: 'https://login.example.com/' }).end());
    t.match(await client.ask('/c/login', { method: 'POST', body: 'x' }), {
      status: 302,
      headers: { location: 'https://login.example.com/' },
    });
    slow.once('write', ({ request }) => request.socket.resetAndDestroy());
    t.match(await client.ask('/api/x', { method: 'POST', body: 'x' }), {
      status: 503,
      headers: { 'retry-after': /\d/ },
    });
    slow.once('write', ({ response }) => {
      response.writeHead(200, { 'content-length': 100 }).write('some');
      setImmediate(() => response.destroy());
    });
    t.match(
      await client.ask('/api/x', { method: 'POST', body: 'x' }),
      { status: 200, complete: false },
      'a body that breaks off',
    );
    let held = false;
    slow.once('write', () => {
      held = true;
    });
    const silent = await client.ask('/api/x', { method: 'OPTIONS' });
    t.match(silent, { status: 503 }, 'no answer to a request without a body');
    t.ok(held && silent.headersAfter < timeLimit(3000));
    for (const method of ['TRACE', 'PROPFIND']) {
      t.match(await client.ask('/api/x', { method }), { status: 405, headers: { allow: /GET/ } }, method);
    }
  }
  t.equal(site.fallback.writes, 0, 'nothing went anywhere else');
});

t.test('without passthrough there is nothing but the registry', async (t) => {
  const site = await startLabSite(t, { primary: { harbor: true } });
  site.primary.forget();
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    for (const path of ['/', '/c/login', '/api/v2.0/ping', '/service/token', '/v1/', '/v20/']) {
      const reply = await client.ask(path);
      t.match({ status: reply.status, code: codeOf(reply) }, { status: 404, code: 'NAME_UNKNOWN' }, path);
    }
  }
  t.strictSame(site.primary.requests.filter(isPage), []);
});

t.test('an upstream that is down, and one with a base path', async (t) => {
  const site = await startLabSite(t, HARBOR);
  await site.primary.faults.on('down');
  t.match(await site.edge.http1().ask('/c/login'), { status: 503, headers: { 'retry-after': /\d/ } });
  const odd = await startOddServer(t, (socket, head) => {
    const path = head.split(' ')[1] ?? '';
    socket.write(`HTTP/1.1 302 Found\r\nLocation: /harbor/c/home\r\nX-Path: ${path}\r\nContent-Length: 0\r\n\r\n`);
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [`${odd.url}/harbor`], probe: RARE_PROBE } },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
    passthrough: 'odd',
  });
  t.match(await edge.http1().ask('/c/login?a=1'), {
    status: 302,
    headers: { 'x-path': '/harbor/c/login?a=1', location: '/c/home' },
  });
});

t.test('a page whose storage is down may take its time over a write', async (t) => {
  const slow = await startSlowUpstream(t);
  // This canary cannot be read: the upstream answers it with `{}`.
  const probe = { ...PROBE, canary: 'canary:latest' };
  const edge = await startEdgeInProcess(t, {
    upstreams: { ui: { urls: [slow.url], probe, deadlines: { pushStall: '100ms' } } },
    routes: [{ prefix: '', pull: [{ upstream: 'ui' }] }],
    passthrough: 'ui',
    limits: { clientIdle: '2500ms' },
  });
  await edge.upstream('ui', 'down');
  const silent = await edge.http1().ask('/api/v2.0/system/gc/schedule', { method: 'POST', body: 'x' });
  t.equal(silent.status, 503);
  t.ok(silent.headersAfter >= 2500, `after ${Math.round(silent.headersAfter)} ms, by limits.clientIdle`);
});
