import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { request } from 'node:https';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import t, { type Test } from 'tap';
import { madeUp } from '../../../src/lab/seed.ts';
import { type EdgeInProcess, RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { received2 } from '../../helpers/http2-client.ts';
import { sha256 } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { type SlowUpstream, startSlowUpstream } from '../../helpers/slow-upstream.ts';
import { until } from '../../helpers/until.ts';

const UPLOADS = '/v2/team/new/blobs/uploads/';
const MIB = 1024 * 1024;
const POST = `${UPLOADS}?digest=${sha256('x')}`;

async function slowEdge(
  t: Test,
  more: Record<string, unknown> = {},
): Promise<{ slow: SlowUpstream; edge: EdgeInProcess }> {
  const slow = await startSlowUpstream(t);
  const edge = await startEdgeInProcess(t, {
    upstreams: { slow: { urls: [slow.url], probe: RARE_PROBE, ...more } },
    routes: [{ prefix: '', push: 'slow', pull: [{ upstream: 'slow' }] }],
    passthrough: 'slow',
  });
  return { slow, edge };
}

/** An upload under way, its body still to be written. */
function begin(edge: EdgeInProcess, version: string, path = POST, headers: Record<string, string> = {}): Writable {
  if (version === 'HTTP/2') return edge.http2().open(path, { method: 'POST', headers }, false);
  const { target, agent } = edge.http1();
  return request({
    host: '127.0.0.1',
    port: target.port,
    path,
    method: 'POST',
    agent,
    headers: { host: target.host, ...headers },
  });
}

for (const version of ['HTTP/1.1', 'HTTP/2']) {
  t.test(`${version}: a body is read no faster than the upstream takes it`, async (t) => {
    const { slow, edge } = await slowEdge(t);
    const arriving = slow.next();
    const upload = begin(edge, version);
    const chunk = madeUp(MIB, 0);
    let sent = 0;
    const total = 200;
    const sending = (async () => {
      for (; sent < total; sent += 1) if (!upload.write(chunk)) await once(upload, 'drain');
      upload.end();
    })();
    const { request: arrived, response } = await arriving;
    let last = -1;
    await until(
      () => {
        const still = sent === last;
        last = sent;
        return still;
      },
      { every: 300, what: () => 'the client to be held up' },
    );
    // What fits is in the buffers of two connections of the kernel, and of the streams on both sides.
    t.ok(last < 60, `${last} MiB were taken while the upstream read nothing`);
    let received = 0;
    let between = 0;
    arrived.on('data', (part: Buffer) => {
      received += part.length;
      between = Math.max(between, sent - received / MIB);
    });
    await once(arrived, 'end');
    t.equal(received, total * MIB, 'all of it came');
    t.ok(between < 60, `${Math.round(between)} MiB were between the two at the most`);
    response.writeHead(201, { location: '/v2/team/new/blobs/x', 'content-length': 0 }).end();
    await sending;
    const [answer] = await once(upload, 'response');
    t.match(answer, version === 'HTTP/2' ? { ':status': 201 } : { statusCode: 201 });
    const line = await edge.line(({ kind }) => kind === 'upload');
    t.match(line, { status: 201, bytesIn: total * MIB });
  });

  t.test(`${version}: an upstream that answers before it has all`, async (t) => {
    // `fin`: it reads on for a while, as Go's server and nginx do. `deaf`: it reads nothing more, and leaves it at that.
    for (const manner of ['fin', 'deaf']) {
      const body = '{"errors":[{"code":"DENIED","message":"too large for you","detail":{}}]}';
      const uploads: Socket[] = [];
      const early = await startOddServer(t, (socket) => {
        uploads.push(socket);
        socket.removeAllListeners('data');
        const head = `HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
        socket.write(`${head}\r\n\r\n${body}`);
        if (manner === 'fin') socket.resume().end();
        else socket.pause();
      });
      const edge = await startEdgeInProcess(t, {
        upstreams: { slow: { urls: [early.url], probe: RARE_PROBE } },
        routes: [{ prefix: '', push: 'slow', pull: [{ upstream: 'slow' }] }],
      });
      const reply = await answerWhileSending(edge, version, 50);
      t.match(reply, { status: 403, complete: true, body: /too large for you/ }, manner);
      const next = version === 'HTTP/2' ? edge.http2() : edge.http1();
      t.equal((await next.ask('/v2/')).status, 200, 'and the edge goes on');
      for (const socket of uploads) {
        socket.resume();
        await until(() => socket.destroyed, { what: () => 'the connection of the upload to be gone' });
      }
      t.equal(uploads.length, 1);
    }
  });

  t.test(`${version}: a client that leaves in the middle`, async (t) => {
    const { slow, edge } = await slowEdge(t);
    for (const path of [POST, '/api/upload']) {
      const arriving = slow.next();
      const upload = begin(edge, version, path);
      upload.on('error', () => undefined);
      upload.write(madeUp(1000, 0));
      const { request: arrived } = await arriving;
      await once(arrived, 'data');
      const closed = new Promise((resolve) => arrived.once('close', resolve));
      arrived.resume();
      upload.destroy();
      await closed;
      t.equal(arrived.complete, false, `${path}: the upstream never sees an end`);
      const kind = path === POST ? 'upload' : 'passthrough';
      t.match(await edge.line((line) => line.kind === kind), { outcome: 'aborted', status: 499 });
    }
    const breakers = edge.app.status().upstreams[0]?.urls[0]?.breakers;
    t.match(breakers, { push: 'closed', passthrough: 'closed' });
    t.equal(edge.app.status().upstreams[0]?.urls[0]?.state, 'up', 'which is not its failure');
  });

  t.test(`${version}: a client that leaves while the upstream thinks`, async (t) => {
    const { slow, edge } = await slowEdge(t);
    const arriving = slow.next();
    const upload = begin(edge, version);
    upload.on('error', () => undefined);
    upload.end('x');
    const { request: arrived, response } = await arriving;
    arrived.resume();
    await once(arrived, 'end');
    const closed = once(response, 'close');
    upload.destroy();
    await closed;
    t.match(await edge.line(({ kind }) => kind === 'upload'), { outcome: 'aborted', status: 499 });
  });

  t.test(`${version}: an upstream that dies in the middle, or never answers`, async (t) => {
    const { slow, edge } = await slowEdge(t, { deadlines: { commit: '500ms' } });
    slow.once('write', ({ request: arrived }) => arrived.socket.resetAndDestroy());
    const denied = await answerWhileSending(edge, version, 5);
    t.match(denied, { status: 403, body: /pushes are refused/, complete: true }, 'nothing was begun');
    slow.once('write', ({ request: arrived }) => arrived.resume());
    const silent = await answerWhileSending(edge, version, 1);
    t.match(silent, { status: 403, body: /first-byte/ }, 'no answer to the start of an upload');
    slow.once('write', ({ request: arrived }) => arrived.socket.resetAndDestroy());
    const later = await answerWhileSending(edge, version, 2, '/v2/team/new/manifests/1', 'PUT');
    t.match(later, { status: 503, headers: { 'retry-after': /\d/ } }, 'something may have been taken');
  });
}

async function answerWhileSending(edge: EdgeInProcess, version: string, mib: number, path = POST, method = 'POST') {
  const chunk = madeUp(MIB / 2, 0);
  const body = (async function* () {
    for (let index = 0; index < mib * 2; index += 1) yield chunk;
  })();
  if (version === 'HTTP/2') {
    const stream = edge.http2().open(path, { method }, false);
    const reply = received2(stream);
    stream.on('error', () => undefined);
    await pour(stream, body);
    const { status, complete, headers, body: bytes } = await reply;
    return { status, complete, headers, body: bytes.toString() };
  }
  const { target } = edge.http1();
  const call: ClientRequest = request({
    host: '127.0.0.1',
    port: target.port,
    path,
    method,
    ca: target.ca,
    servername: target.host,
    agent: false,
    headers: { host: target.host },
  });
  const response = once(call, 'response');
  call.on('error', () => undefined);
  await pour(call, body);
  const [message] = await response;
  const chunks = await message.toArray();
  return {
    status: message.statusCode,
    complete: message.complete,
    headers: message.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

/** Writes until it is all written or the other side wants no more. */
async function pour(to: Writable, body: AsyncIterable<Buffer>): Promise<void> {
  const closed = new Promise((resolve) => to.once('close', resolve).once('response', resolve));
  for await (const chunk of body) {
    if (to.destroyed) return;
    if (!to.write(chunk)) await Promise.race([once(to, 'drain').catch(() => undefined), closed]);
  }
  to.end();
}

t.test('HTTP/2: an upload whose trailers are too long is never complete at the upstream', async (t) => {
  const { slow, edge } = await slowEdge(t);
  const arriving = slow.next();
  const { session, target } = edge.http2();
  const upload = session.request(
    { ':method': 'POST', ':path': POST, ':authority': target.host },
    { endStream: false, waitForTrailers: true },
  );
  upload.once('wantTrailers', () => upload.sendTrailers({ x: 'y'.repeat(33_000) }));
  const replied = received2(upload);
  upload.write('some');
  const { request: arrived } = await arriving;
  const gone = new Promise((resolve) => arrived.once('close', resolve));
  arrived.resume();
  upload.end('more');
  t.match(await replied, { status: 431, complete: true });
  await gone;
  t.notOk(arrived.complete);
});
