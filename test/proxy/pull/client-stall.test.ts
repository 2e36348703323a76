import { once } from 'node:events';
import t, { type Test } from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { sha256 } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';
import { startSlowUpstream } from '../../helpers/slow-upstream.ts';
import { until } from '../../helpers/until.ts';

// Clients that owe bytes, or take none, are cut after limits.clientIdle; the listener looks every 5 s.
const LIMITS = { clientIdle: '500ms' };
const POST = `/v2/app/blobs/uploads/?digest=${sha256('x')}`;

t.test('clients that stall are cut, and their upstream requests with them', async (t) => {
  await Promise.all([sending(t), reading(t)]);
});

async function sending(t: Test): Promise<void> {
  const slow = await startSlowUpstream(t);
  const edge = await startEdgeInProcess(t, {
    limits: LIMITS,
    upstreams: { slow: { urls: [slow.url], probe: RARE_PROBE, breaker: { consecutive: 1 } } },
    routes: [{ prefix: '', push: 'slow', pull: [{ upstream: 'slow' }] }],
  });
  const ended: Promise<boolean>[] = [];
  slow.on('write', ({ request }) => {
    ended.push(new Promise((resolve) => request.once('close', () => resolve(request.complete))));
    request.resume();
  });
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.send(`POST ${POST} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 1000\r\n\r\nsome`);
  const stream = edge.http2().open(POST, { method: 'POST' }, false);
  stream.on('error', () => undefined);
  stream.write('some');
  await until(() => ended.length === 2, { what: () => 'both to arrive' });
  t.strictSame(await Promise.all(ended), [false, false], 'the upstream never saw an end');
  await until(() => edge.requests.length === 2, { what: () => edge.log });
  for (const line of edge.requests) t.match(line, { kind: 'upload', outcome: 'aborted' });
  t.match(edge.app.status().upstreams[0], { state: 'up', urls: [{ breakers: { push: 'closed' } }] }, 'not its failure');
}

async function reading(t: Test): Promise<void> {
  const total = 256 * 1024 * 1024;
  const arrived: Promise<unknown>[] = [];
  const odd = await startOddServer(t, async (socket) => {
    arrived.push(new Promise((resolve) => socket.once('close', resolve)));
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
    const chunk = Buffer.alloc(1_048_576, 'x');
    for (let sent = 0; sent < total && !socket.destroyed; sent += chunk.length)
      if (!socket.write(chunk)) await once(socket, 'drain').catch(() => undefined);
  });
  const edge = await startEdgeInProcess(t, {
    limits: LIMITS,
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, breaker: { consecutive: 1 } } },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
  });
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.socket.pause();
  raw.send(`GET /v2/app/blobs/${sha256('x')} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
  const stream = edge.http2().open(`/v2/app/blobs/${sha256('x')}`);
  stream.on('error', () => undefined);
  stream.pause();
  await until(() => arrived.length === 2, { what: () => 'both to arrive' });
  await Promise.all(arrived);
  t.pass('the upstream is left alone');
  await until(() => edge.requests.length === 2, { what: () => edge.log });
  for (const line of edge.requests) t.match(line, { kind: 'blob', outcome: 'aborted' });
  const [url] = edge.app.status().upstreams[0]?.urls ?? [];
  t.match(url, { state: 'up', breakers: { data: 'closed' }, inFlight: { data: 0 } }, 'not its failure');
}
