import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import http2 from 'node:http2';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { ClientRequest } from '../../src/server/exchanges.ts';
import type { Handler } from '../../src/server/request-receiver.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { FRAME, FrameClient } from './http2-frames.ts';
import { connect2, connectRaw, LIMITS, request1, request2, sendRaw, startListener } from './listener-harness.ts';
import { SMUGGLING } from './smuggling.ts';

/** A listener that notes the requests that reached its handler. */
async function noting(t: Test, handler?: Handler) {
  const seen: string[] = [];
  const started = await startListener(t, {
    handler: (req, res, expectContinue) => {
      seen.push(`${req.method} ${req.url}`);
      if (handler) return handler(req, res, expectContinue);
      req.resume();
      req.on('end', () => res.end('ok'));
    },
  });
  return { ...started, seen };
}

function ociError(reply: string): string {
  const body = reply.slice(reply.indexOf('\r\n\r\n') + 4);
  return JSON.parse(body).errors[0].code;
}

t.test('serves both protocol versions on one port', async (t) => {
  const { port } = await startListener(t, {
    handler: (req, res) => res.end(`${req.httpVersion} ${req.method} ${req.url}`),
  });
  t.match(await request1(port, { path: '/v2/' }), { status: 200, body: '1.1 GET /v2/' });
  const session = await connect2(t, port);
  t.match(await request2(session, { ':path': '/v2/' }), { status: 200, body: '2.0 GET /v2/' });
});

t.test('ends smuggling attempts with 400 and a closed connection', async (t) => {
  for (const [name, text] of Object.entries(SMUGGLING)) {
    const { port, seen, listener } = await noting(t);
    const reply = await sendRaw(t, port, text);
    t.match(reply, /^HTTP\/1\.1 400 Bad Request\r\n/, name);
    t.equal(ociError(reply), 'UNSUPPORTED', `${name}: exactly one reply, with an OCI error`);
    t.match(reply, /Connection: close\r\n/i, name);
    t.same(seen, [], `${name}: nothing reaches the handler`);
    t.equal(listener.counts.malformed, 1, name);
  }
});

t.test('ends a body that breaks its framing', async (t) => {
  const head = 'POST /v2/ HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding: chunked\r\n\r\n';
  const bodies: Record<string, string> = {
    'no hexadecimal size': 'x\r\n',
    'a size that is too large': 'fffffffffffffffff\r\n',
    'data longer than its size': '2\r\nabcd\r\n0\r\n\r\n',
    'a line feed in place of CRLF': '2\nab\r\n0\r\n\r\n',
    'a line feed in an extension': '2;a\nb\r\nab\r\n0\r\n\r\n',
  };
  for (const [name, body] of Object.entries(bodies)) {
    const aborted = Promise.withResolvers<Error>();
    const { port, seen } = await noting(t, (req, res) => {
      req.resume();
      req.on('error', aborted.resolve);
      req.on('end', () => res.end('taken'));
    });
    const reply = await sendRaw(t, port, `${head}${body}GET /smuggled HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
    t.match(reply, /^HTTP\/1\.1 400 /, name);
    t.notMatch(reply, /taken/, name);
    t.same(seen, ['POST /v2/'], name);
    t.match(await aborted.promise, { message: 'aborted' }, `${name}: the handler learns of it`);
  }
});

t.test('says nothing between the replies of a pipeline when a later request is broken', async (t) => {
  const { port, seen } = await noting(t, () => {});
  const reply = await sendRaw(t, port, 'GET /v2/ HTTP/1.1\r\nHost: edge.test\r\n\r\nrubbish\r\n\r\n');
  t.equal(reply, '', 'a 400 here would pass for the reply to the first');
  t.same(seen, ['GET /v2/']);
});

t.test('bounds the headers of both versions', async (t) => {
  const { port, seen } = await noting(t);
  const long = 'x'.repeat(LIMITS.headerBytes);
  const reply = await sendRaw(t, port, `GET /v2/ HTTP/1.1\r\nHost: edge.test\r\nX: ${long}\r\n\r\n`);
  t.match(reply, /^HTTP\/1\.1 431 /);
  t.match(
    await sendRaw(t, port, `GET /${long} HTTP/1.1\r\nHost: edge.test\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
    'the target too',
  );

  t.match(await request2(await connect2(t, port), { x: long }), { status: 431 });
  t.same(seen, []);
  t.match(await request2(await connect2(t, port), { ':path': '/fine' }), { status: 200 });
});

t.test('takes new limits without a restart', async (t) => {
  const { listener, port } = await noting(t);
  const text = `GET /v2/ HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`;
  t.match(await sendRaw(t, port, text), /^HTTP\/1\.1 200 /);
  listener.update({ ...LIMITS, headerBytes: 4_096 });
  t.match(await sendRaw(t, port, text), /^HTTP\/1\.1 431 /);
});

t.test('cuts senders of slow headers', async (t) => {
  const { port, seen } = await startListener(t, { timings: { headers: 200, sweep: 50 } }).then((one) => ({
    ...one,
    seen: [],
  }));
  const slow = await connectRaw(t, port);
  slow.socket.write('GET /v2/ HTTP/1.1\r\nHost: edge.test\r\n');
  const drip = setInterval(() => slow.socket.write('X: y\r\n'), 30);
  t.teardown(() => clearInterval(drip));
  const reply = await slow.closed;
  t.match(reply, /^HTTP\/1\.1 408 /);
  const silent = await connectRaw(t, port);
  t.match(await silent.closed, /^HTTP\/1\.1 408 /, 'and those who say nothing at all');
  t.same(seen, []);
});

t.test('does not cut an upload that flows for longer than the headers may take', async (t) => {
  const { port } = await startListener(t, {
    limits: { ...LIMITS, keepAlive: timeLimit(100) },
    timings: { headers: 100, sweep: 25 },
    handler: (req, res) => req.resume().on('end', () => res.end('taken')),
  });
  const client = await connectRaw(t, port);
  client.socket.write('POST / HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\nContent-Length: 8\r\n\r\n');
  for (let sent = 0; sent < 8; sent += 1) {
    await new Promise((resolve) => setTimeout(resolve, timeLimit(60)));
    client.socket.write('x');
  }
  t.match(await client.closed, /^HTTP\/1\.1 200 [\s\S]*taken/);
});

t.test('keeps a connection without a request for as long as is configured', async (t) => {
  const keepAlive = timeLimit(600);
  const { port, listener } = await startListener(t, {
    limits: { ...LIMITS, keepAlive },
    timings: { headers: 100, sweep: 25 },
  });
  const began = performance.now();
  const client = await connectRaw(t, port);
  const session = await connect2(t, port);
  const ends = [client.closed, once(session, 'close')].map((end) => end.then(() => performance.now() - began));
  for (const path of ['/1', '/2']) {
    client.socket.write(`GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
    t.match(await request2(session), { status: 200 });
    // Longer than the headers of a request may take.
    await new Promise((resolve) => setTimeout(resolve, timeLimit(250)));
  }
  t.equal(client.received().match(/HTTP\/1.1 200/g)?.length, 2, 'both requests on one connection');
  const idle = timeLimit(250);
  for (const end of await Promise.all(ends)) t.ok(end >= idle + keepAlive - 50, `ended after ${end} ms`);
  listener.update({ ...LIMITS, keepAlive: timeLimit(50) });
  const sooner = await connectRaw(t, port);
  sooner.socket.write('GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n');
  await Promise.all([sooner.closed, once(await connect2(t, port), 'close')]);
  t.pass('a reload holds for the next connections');
});

t.test('hands 100-continue to the handler', async (t) => {
  const continued = (req: ClientRequest, res: Parameters<Handler>[1], expectContinue: boolean) => {
    if (req.url === '/refused') return void (res as ServerResponse).writeHead(403, { connection: 'close' }).end('no');
    if (expectContinue) res.writeContinue();
    req.pipe(res);
  };
  const { port } = await noting(t, continued);
  const client = await connectRaw(t, port);
  const head = (path: string) =>
    `PUT ${path} HTTP/1.1\r\nHost: edge.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n`;
  client.socket.write(`${head('/taken')}Connection: close\r\n\r\n`);
  await once(client.socket, 'data');
  t.match(client.received(), /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  client.socket.write('body');
  t.match(await client.closed, /100 Continue[\s\S]*200 OK[\s\S]*body/);
  const refused = await sendRaw(t, port, `${head('/refused')}\r\n`);
  t.match(refused, /^HTTP\/1\.1 403 /, 'no 100 before a refusal');

  const session = await connect2(t, port);
  const stream = session.request(
    { ':method': 'PUT', ':authority': 'edge.test', expect: '100-continue' },
    { endStream: false },
  );
  await once(stream, 'continue');
  stream.end('over h2');
  t.equal(Buffer.concat(await stream.toArray()).toString(), 'over h2');
});

t.test('answers other expectations with 417', async (t) => {
  const { port, seen } = await noting(t);
  const reply = await sendRaw(t, port, 'GET / HTTP/1.1\r\nHost: edge.test\r\nExpect: miracles\r\n\r\n');
  t.match(reply, /^HTTP\/1\.1 417 /);
  t.equal(ociError(reply), 'UNSUPPORTED');
  t.match(await request2(await connect2(t, port), { expect: 'miracles' }), { status: 417 });
  t.same(seen, []);
});

t.test('refuses to change the protocol or to tunnel', async (t) => {
  const { port, seen } = await noting(t);
  for (const protocol of ['websocket', 'h2c']) {
    const upgrade = `GET / HTTP/1.1\r\nHost: edge.test\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
    t.match(await sendRaw(t, port, upgrade), /^HTTP\/1\.1 400 /, protocol);
  }
  const withBody =
    'POST / HTTP/1.1\r\nHost: edge.test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 9\r\n\r\nhalf';
  t.match(await sendRaw(t, port, withBody), /^HTTP\/1\.1 400 /);
  t.match(await sendRaw(t, port, 'CONNECT upstream.test:443 HTTP/1.1\r\nHost: edge.test\r\n\r\n'), /^HTTP\/1\.1 405 /);
  const session = await connect2(t, port);
  t.match(await request2(session, { ':method': 'CONNECT', ':authority': 'upstream.test:443' }, ''), { status: 405 });
  t.same(seen, []);
  t.equal((await request1(port)).status, 200, 'the listener goes on');
});

t.test('refuses HTTP/2 requests whose :authority and host differ', async (t) => {
  const { port, seen } = await noting(t);
  const session = await connect2(t, port);
  t.match(await request2(session, { ':authority': 'edge.test', host: 'other.test' }), { status: 400 });
  t.same(seen, []);
  t.match(await request2(session, { ':authority': 'edge.test', host: 'EDGE.test' }), { status: 200 });
});

t.test('lets nothing through HTTP/2 that would be another request over HTTP/1.1', async (t) => {
  const pseudo = (over: Record<string, string> = {}) =>
    Object.entries({ ':method': 'POST', ':scheme': 'https', ':authority': 'edge.test', ':path': '/v2/', ...over });
  const attempts: Record<string, [[string, string][], string?]> = {
    'H2.TE': [[...pseudo(), ['transfer-encoding', 'chunked']], '0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n'],
    'H2.CL, too short': [[...pseudo(), ['content-length', '0']], 'GET /smuggled HTTP/1.1\r\n\r\n'],
    'H2.CL, too long': [[...pseudo(), ['content-length', '100']], 'short'],
    'two lengths': [[...pseudo(), ['content-length', '5'], ['content-length', '0']], 'short'],
    'a connection header': [[...pseudo(), ['connection', 'keep-alive']]],
    'an upgrade': [[...pseudo(), ['upgrade', 'websocket']]],
    'a capital in a name': [[...pseudo(), ['X', 'a']]],
    'a line in the path': [pseudo({ ':path': '/v2/ HTTP/1.1\r\nx: y' })],
    'a space in the path': [pseudo({ ':path': '/v2/ HTTP/1.1' })],
    'a line in the method': [pseudo({ ':method': 'GET / HTTP/1.1\r\nx: y' })],
    'a line in the authority': [pseudo({ ':authority': 'edge.test\r\nx: y' })],
    'two paths': [[...pseudo(), [':path', '/smuggled']]],
    'two hosts': [[...pseudo(), ['host', 'edge.test'], ['host', 'other.test']]],
    'no path': [pseudo().filter(([name]) => name !== ':path')],
    'no host': [pseudo().filter(([name]) => name !== ':authority')],
  };
  for (const [name, [fields, body]] of Object.entries(attempts)) {
    let complete = false;
    const { port } = await startListener(t, {
      handler: (req, res) => {
        req.on('error', () => {});
        req.resume().on('end', () => {
          complete = true;
          res.end('taken');
        });
      },
    });
    const client = await FrameClient.connect(t, port);
    client.request(1, fields, body);
    const { type, payload } = await client.receive(FRAME.reset, FRAME.goaway, FRAME.headers);
    // 0x8c and 0x8d are `:status` 400 and 404 of RFC 7541 appendix A.
    t.ok(type !== FRAME.headers || payload[0] === 0x8c, `${name} is reset, or answered with 400`);
    t.notOk(complete, name);
  }
});

t.test('drops HTTP/2 fields that are none', async (t) => {
  const { port } = await startListener(t, { handler: (req, res) => res.end(JSON.stringify(req.headers)) });
  const client = await FrameClient.connect(t, port);
  const fields: [string, string][] = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', 'edge.test'],
    [':path', '/'],
    ['x', 'a\r\ntransfer-encoding: chunked'],
    ['x: y\r\nz', 'a'],
    ['w', 'a\0b'],
    ['good', 'yes'],
  ];
  client.request(1, fields);
  const { payload } = await client.receive(FRAME.data);
  t.same(JSON.parse(payload.toString()), { ...Object.fromEntries(fields.slice(0, 4)), good: 'yes' });
});

t.test('never ends the body of a request that was broken off', async (t) => {
  const ways = {
    reset: (client: FrameClient) =>
      client.send(FRAME.reset, 0, 1, Buffer.from([0, 0, 0, http2.constants.NGHTTP2_CANCEL])),
    'reset without an error': (client: FrameClient) => client.send(FRAME.reset, 0, 1, Buffer.alloc(4)),
    'connection gone': (client: FrameClient) => client.destroy(),
  };
  for (const [name, breakOff] of Object.entries(ways)) {
    for (const listens of [true, false]) {
      const events: string[] = [];
      const began = Promise.withResolvers<void>();
      const { port, listener } = await startListener(t, {
        handler: (req) => {
          for (const event of ['end', 'aborted', 'close']) req.on(event, () => events.push(event));
          if (listens) req.on('error', (error) => events.push(error.message));
          req.once('data', () => began.resolve());
        },
      });
      const client = await FrameClient.connect(t, port);
      client.send(FRAME.headers, 0x4, 1, client.headers('PUT'));
      client.send(FRAME.data, 0, 1, Buffer.from('half'));
      await began.promise;
      breakOff(client);
      while (listener.load().exchanges > 0) await setImmediate();
      await setImmediate();
      t.notOk(events.includes('end'), `${name}: ${events.join(', ')}`);
      t.ok(events.includes('close'), name);
    }
  }
});

t.test('sheds connections beyond the limit', async (t) => {
  const { port, listener } = await startListener(t, { limits: { ...LIMITS, connections: 2 } });
  const first = await connectRaw(t, port);
  await connectRaw(t, port);
  await t.rejects(request1(port));
  t.equal(listener.counts.shed, 1);
  first.socket.destroy();
  await once(first.socket, 'close');
  while (listener.load().connections > 1) await setImmediate();
  t.equal((await request1(port)).status, 200, 'there is room again');
});

t.test('survives a handler that throws', async (t) => {
  const { port, errors } = await startListener(t, {
    handler: () => {
      throw new Error('a bug');
    },
  });
  t.match(await request1(port), { status: 500, body: /"UNKNOWN"/ });
  t.match(await request2(await connect2(t, port)), { status: 500, body: /"UNKNOWN"/ });
  t.match(errors, [{ message: 'a bug' }, { message: 'a bug' }]);
});

t.test('never makes a reply look complete when its handler throws in the middle', async (t) => {
  const { port } = await startListener(t, {
    handler: (_req, res) => {
      (res as ServerResponse).write('half');
      throw new Error('a bug');
    },
  });
  t.notMatch(await sendRaw(t, port, 'GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n'), /\r\n0\r\n/);
  const stream = (await connect2(t, port)).request({ ':authority': 'edge.test' });
  await t.rejects(stream.toArray(), { code: 'ERR_HTTP2_STREAM_ERROR' });
});
