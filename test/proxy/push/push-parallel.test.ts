import t from 'tap';
import { madeUp } from '../../../src/lab/seed.ts';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { received2 } from '../../helpers/http2-client.ts';
import { pushBlob, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { type Arrival, startSlowUpstream } from '../../helpers/slow-upstream.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

const MIB = 1024 * 1024;

t.test('many pushes at once', async (t) => {
  const site = await startLabSite(t);
  const sizes = [0, 1, 16_383, 16_384, 65_536, 65_537, 500_000];
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    // Connected before: sixty handshakes at once would keep the edge from reading its canary in time.
    await Promise.all(Array.from({ length: 60 }, () => client.ask('/v2/')));
    const replies = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        pushBlob(client, 'team/new', madeUp(sizes[index % sizes.length] ?? 0, index)),
      ),
    );
    t.strictSame(new Set(replies.map(({ status }) => status)), new Set([201]), client.version);
  }
});

t.test('uploads that wait for a slow primary leave room for others on their HTTP/2 session', async (t) => {
  const slow = await startSlowUpstream(t);
  const edge = await startEdgeInProcess(t, {
    upstreams: { slow: { urls: [slow.url], probe: RARE_PROBE } },
    routes: [{ prefix: '', push: 'slow', pull: [{ upstream: 'slow' }] }],
  });
  const arrivals: Arrival[] = [];
  slow.on('write', (arrival) => arrivals.push(arrival));
  const client = edge.http2();
  await client.ask('/v2/');
  const bytes = madeUp(8 * MIB, 0);
  const streams = Array.from({ length: 40 }, () =>
    client.open(`/v2/team/new/blobs/uploads/?digest=${sha256('x')}`, { method: 'POST' }, false),
  );
  const uploads = streams.map((stream) => received2(stream));
  for (const stream of streams) stream.write(bytes.subarray(0, 1));
  await until(() => arrivals.length === uploads.length, { what: () => 'all to arrive' });
  for (const stream of streams) {
    for (let at = 1; at < bytes.length; at += MIB) stream.write(bytes.subarray(at, at + MIB));
    stream.end();
  }
  // Of each, as much is on the edge as it takes in advance.
  const waiting = () => streams.reduce((sum, { writableLength }) => sum + writableLength, 0);
  let before = -1;
  await until(
    () => {
      const still = waiting() === before;
      before = waiting();
      return still;
    },
    { every: timeLimit(300), what: () => 'all to be held up' },
  );
  t.ok(before > 40 * MIB, `${Math.round(before / MIB)} MiB wait at the client`);
  t.equal((await client.ask('/v2/')).status, 200, 'another request on the session');
  for (const { request, response } of arrivals) {
    request.resume().once('end', () => response.writeHead(201, { 'content-length': 0 }).end());
  }
  const replies = await Promise.all(uploads);
  t.ok(replies.every(({ status, complete }) => status === 201 && complete));
});
