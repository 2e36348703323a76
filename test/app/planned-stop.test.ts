import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http2 from 'node:http2';
import { join } from 'node:path';
import t from 'tap';
import { startLabSite } from '../helpers/lab-site.ts';
import { RawConnection } from '../helpers/raw-connection.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

const MANIFEST = '/v2/library/app/manifests/1';

/** The address on which the edges of tests listen, so that it is always here. */
const VIP = ['127.0.0.1'];

const check = async (edge: { admin(path: string): Promise<{ status: number }> }, path: string) =>
  (await edge.admin(path)).status;

t.test('with the VIP here, everything is served until what is under way has ended', async (t) => {
  const leaveFile = join(temporaryFolder(t), 'leave');
  const drain = { announce: '100ms', timeout: `${timeLimit(20_000)}ms`, vip: VIP, leaveFile };
  const site = await startLabSite(t, { canary: false, config: { drain } });
  const { edge, primary } = site;
  t.equal(await readFile(leaveFile, 'utf8'), '0\n');
  await primary.faults.on('stall', { path: 'library/app', bytes: 150_000 });
  const path = `/v2/library/app/blobs/${site.blob()}`;
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.send(`GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
  await raw.heard(/200 OK/);
  const stopped = edge.app.stop();
  await until(() => edge.log.includes('this node keeps the VIP'));
  t.same([await check(edge, '/readyz'), await check(edge, '/vipz')], [200, 200]);
  const reply = await edge.http1().ask(MANIFEST);
  t.equal(reply.status, 200, 'a new request on a new connection');
  t.match(reply.headers, { connection: 'close' });
  t.equal((await edge.http2().ask(MANIFEST)).status, 200, 'HTTP/2');
  t.equal(await readFile(leaveFile, 'utf8'), '0\n');
  t.match(edge.app.status().stopping, { stage: 'holding', underWay: 1 });
  t.match(edge.app.status().headline.text, /This edge is stopping: it keeps serving until 1 request has ended, until /);
  await primary.faults.off();
  await raw.closed();
  t.equal(raw.received.length - raw.text.indexOf('\r\n\r\n') - 4, 300_000, 'the transfer under way');
  t.equal(raw.end, 'fin');
  await stopped;
  t.equal(await readFile(leaveFile, 'utf8'), '1\n');
  t.match(edge.log, /"end":"quiet","finished":3,"cut":0,.*"msg":"this node gives up the VIP"/);
  t.match(edge.log, /"finished":3,"cut":0,"msg":"drained"/);
});

t.test('what cannot finish in time is cut at once, before the VIP leaves', async (t) => {
  const drain = { announce: '0s', timeout: '300ms', vip: VIP };
  const site = await startLabSite(t, { canary: false, config: { drain } });
  const { edge, primary } = site;
  await primary.faults.on('stall', { path: 'library/app', bytes: 150_000 });
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.send(`GET /v2/library/app/blobs/${site.blob()} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
  await raw.heard(/200 OK/);
  const stream = edge.http2().open(`/v2/library/app/blobs/${site.blob()}`);
  const failed = once(stream, 'error').then(([error]) => error.code);
  await once(stream, 'response');
  const begun = performance.now();
  await Promise.all([edge.app.stop(), raw.closed()]);
  t.equal(raw.end, 'reset', 'the client does not take it for the end');
  t.match(await failed, /ERR_HTTP2_STREAM_ERROR|ECONNRESET/);
  t.ok(performance.now() - begun < timeLimit(2000));
  t.match(edge.log, /"end":"timeout","finished":0,"cut":2,.*"msg":"this node gives up the VIP"/);
});

t.test('an HTTP/2 session gets GOAWAY with its last reply, and no request is lost', async (t) => {
  const drain = { announce: '0s', timeout: `${timeLimit(20_000)}ms`, vip: VIP };
  const site = await startLabSite(t, { canary: false, config: { drain } });
  const { edge, primary } = site;
  await primary.faults.on('stall', { path: 'library/app', bytes: 150_000 });
  const held = edge.http1().ask(`/v2/library/app/blobs/${site.blob()}`);
  await until(() => primary.requests.some((one) => one.url.includes(site.blob())));
  const session = http2.connect(`https://127.0.0.1:${edge.port}`, { rejectUnauthorized: false });
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  const gone = once(session, 'goaway');
  const stopped = edge.app.stop();
  await until(() => edge.log.includes('this node keeps the VIP'));
  const stream = session.request({ ':path': '/v2/library/app/manifests/1', ':authority': 'edge.test' }).resume();
  const [headers] = await once(stream, 'response');
  t.equal(headers[':status'], 200);
  t.equal((await gone)[0], http2.constants.NGHTTP2_NO_ERROR);
  await primary.faults.off();
  t.ok((await held).complete);
  await stopped;
});
