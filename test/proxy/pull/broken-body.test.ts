import { once } from 'node:events';
import http2 from 'node:http2';
import t, { type Test } from 'tap';
import type { FaultInput, FaultName } from '../../../src/lab/fault.ts';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { received2 } from '../../helpers/http2-client.ts';
import { type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

// A body that breaks off where nobody goes on with it (splice is off here) must never look whole, and over HTTP/1.1 it ends with a FIN, after which containerd resumes by itself.
const LENGTH = 300_000;
const FAULTS: [FaultName, FaultInput][] = [
  ['cut', { fraction: 0.5 }],
  ['cut', { bytes: 1 }],
  ['cut', { bytes: LENGTH - 1 }],
  ['short', { fraction: 0.5 }],
  ['stall', { fraction: 0.5 }],
];
const harbor = { probe: RARE_PROBE, deadlines: { stall: '500ms' } };

async function brokenSite(t: Test, fault: FaultName, input: FaultInput): Promise<LabSite> {
  const site = await startLabSite(t, { harbor, canary: false, config: { splice: { enabled: false } } });
  await site.primary.faults.on(fault, input);
  return site;
}

for (const [fault, input] of FAULTS) {
  t.test(`${fault} ${JSON.stringify(input)}`, async (t) => {
    const site = await brokenSite(t, fault, input);
    const raw = await RawConnection.connect(t, site.edge.http1().target);
    raw.send(`GET /v2/library/app/blobs/${site.blob()} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
    await raw.closed();
    t.equal(raw.end, 'fin', 'HTTP/1.1: an orderly end');
    t.match(raw.text, /^HTTP\/1\.1 200 OK\r\n/);
    t.match(raw.text, new RegExp(`content-length: ${LENGTH}\r\n`));
    const body = raw.received.length - raw.text.indexOf('\r\n\r\n') - 4;
    t.ok(body < LENGTH && body > 0, `${body} bytes of ${LENGTH}`);
    t.match(await site.edge.line(({ kind }) => kind === 'blob'), { outcome: 'cut', attempts: [{ outcome: 'failed' }] });

    const other = await brokenSite(t, fault, input);
    const stream = other.edge.http2().open(`/v2/library/app/blobs/${other.blob()}`);
    const reply = await received2(stream);
    t.match(reply, { status: 200, complete: false }, 'HTTP/2: not complete');
    t.equal(stream.rstCode, http2.constants.NGHTTP2_INTERNAL_ERROR, 'reset with an error');
    t.ok(reply.body.length < LENGTH);
    t.match(await other.edge.line(({ kind }) => kind === 'blob'), { outcome: 'cut' });
  });
}

t.test('chunked bodies of an upstream', async (t) => {
  const odd = await startOddServer(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    setImmediate(() => socket.end());
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE } },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
    passthrough: 'odd',
  });
  const blob = `/v2/app/blobs/sha256:${'0'.repeat(64)}`;
  for (const path of [blob, '/api/export']) {
    const raw = await RawConnection.connect(t, edge.http1().target);
    raw.send(`GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
    await raw.closed();
    t.match(raw.text, /transfer-encoding: chunked[\s\S]*\r\n5\r\nhello\r\n$/i, `HTTP/1.1: ${path} has no last chunk`);
    const stream = edge.http2().open(path);
    const reply = await received2(stream);
    t.match(reply, { status: 200, complete: false }, `HTTP/2: ${path} is not complete`);
    t.not(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR);
  }
});

t.test('a manifest that breaks off is asked for elsewhere', async (t) => {
  const odd = await startOddServer(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"schemaVersion":2');
    setImmediate(() => socket.end());
  });
  const site = await startLabSite(t);
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      odd: { urls: [odd.url], probe: RARE_PROBE },
      good: { urls: [site.primary.url], probe: RARE_PROBE },
    },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }, { upstream: 'good', prefix: 'inner/' }] }],
  });
  for (const client of [edge.http1(), edge.http2()]) {
    const reply = await client.ask('/v2/library/app/manifests/1');
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'good' }, body: site.image.manifest });
  }
  t.equal(odd.heads.length, 2, 'one repository is no reason to ask it last');
});

const GARBAGE: [says: string, text: string][] = [
  ['not HTTP', 'SSH-2.0-OpenSSH_9\r\n\r\n'],
  ['an endless header', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`],
  ['a status that says nothing', 'HTTP/1.1 299\r\nContent-Length: a\r\n\r\n'],
];
for (const [says, text] of GARBAGE) {
  t.test(`an upstream that sends ${says}`, async (t) => {
    const odd = await startOddServer(t, (socket) => socket.write(text));
    const upstreams = { odd: { urls: [odd.url], probe: RARE_PROBE, deadlines: { manifest: '1000ms' } } };
    const edge = await startEdgeInProcess(t, {
      upstreams,
      routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
    });
    const reply = await edge.http1().ask('/v2/app/manifests/1');
    t.match(reply, { status: 503, complete: true });
    const line = await edge.line(({ kind }) => kind === 'manifest');
    t.match(line, { outcome: 'failed', attempts: [{ outcome: 'failed' }] });
  });
}

t.test('an upstream whose headers trickle in for ever', async (t) => {
  const odd = await startOddServer(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    const trickle = setInterval(() => socket.write('X-A: b\r\n'), 50);
    socket.on('close', () => clearInterval(trickle));
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, deadlines: { blob: '500ms' } } },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
  });
  const reply = await edge.http2().ask(`/v2/app/blobs/sha256:${'0'.repeat(64)}`);
  t.match(reply, { status: 503, headers: { 'retry-after': /\d/ } });
  t.ok(reply.headersAfter < timeLimit(3000), 'not for ever');
  for (const socket of odd.sockets) await once(socket, 'close');
  t.pass('and its connection is gone');
});
