import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { EdgeInProcess } from '../../helpers/edge-in-process.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';
import { until } from '../../helpers/until.ts';
import {
  BLOB,
  blobBelow,
  CONTENT,
  type MadeRequest,
  type MadeUpstream,
  nothingLeft,
  serveBroken,
  startEdgeBefore,
  startEdgeOf,
  startMadeUpstream,
  TOTAL,
} from './splice-site.ts';

// Clients that leave in the middle of a splice leave nothing behind: no socket, no permit, no buffer.

// Less than a client takes in that does not read.
const BREAK = 50_000;
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`;

/** A client that is there until it is told to leave. */
type Leave = () => void;
const CLIENTS: Record<string, (t: Test, edge: EdgeInProcess, path: string) => Promise<Leave>> = {
  'HTTP/1.1': async (t, edge, path) => {
    const raw = await RawConnection.connect(t, edge.http1().target);
    raw.send(get(path));
    return () => raw.socket.destroy();
  },
  'HTTP/1.1, paused': async (t, edge, path) => {
    const raw = await RawConnection.connect(t, edge.http1().target);
    raw.socket.pause();
    raw.send(get(path));
    return () => raw.socket.destroy();
  },
  'HTTP/1.1, pipelined': async (t, edge, path) => {
    const raw = await RawConnection.connect(t, edge.http1().target);
    raw.send(get(path).repeat(3));
    return () => raw.socket.destroy();
  },
  'HTTP/2 stream': async (_t, edge, path) => {
    const stream = edge.http2().open(path);
    stream.on('error', () => undefined);
    stream.resume();
    return () => stream.close(8);
  },
  'HTTP/2 session, paused': async (_t, edge, path) => {
    const client = edge.http2();
    const stream = client.open(path);
    stream.on('error', () => undefined);
    stream.pause();
    return () => client.close();
  },
};

/** What the second upstream does until the client leaves. */
const SECONDS: [says: string, answer: (request: MadeRequest) => unknown][] = [
  ['says nothing', () => undefined],
  [
    'has sent its head',
    ({ res, first }) => {
      res.writeHead(206, { 'content-range': `bytes ${first}-${TOTAL - 1}/${TOTAL}`, 'content-length': TOTAL - first });
      res.flushHeaders();
    },
  ],
  [
    'is in the middle of what was sent already',
    ({ res, first }) => {
      res.writeHead(206, { 'content-range': `bytes ${first}-${TOTAL - 1}/${TOTAL}`, 'content-length': TOTAL - first });
      res.write(CONTENT.subarray(first, first + 10_000));
    },
  ],
  [
    'has sent bytes of its own',
    ({ res, first }) => {
      res.writeHead(206, { 'content-range': `bytes ${first}-${TOTAL - 1}/${TOTAL}`, 'content-length': TOTAL - first });
      res.write(CONTENT.subarray(first, first + 300_000));
    },
  ],
];

async function closed(upstream: MadeUpstream): Promise<void> {
  await until(() => upstream.open.size === 0, { every: 5, what: () => `${upstream.open.size} replies to be closed` });
}

for (const [who, enter] of Object.entries(CLIENTS)) {
  t.test(who, async (t) => {
    const sites: { path: string; first: MadeUpstream; second: MadeUpstream; says: string }[] = [];
    for (const [index, [says, answer]] of SECONDS.entries()) {
      const first = await startMadeUpstream(t, (request) => serveBroken(request, BREAK));
      const second = await startMadeUpstream(t, answer);
      sites.push({ path: blobBelow(`site${index}/`), first, second, says });
    }
    const routes = sites.map(({ first, second }, index) => [
      `site${index}/`,
      { [`first${index}`]: first, [`second${index}`]: second },
    ]);
    const patient = { deadlines: { stall: '20s', blob: '20s' }, breaker: { consecutive: 1 } };
    const edge = await startEdgeOf(t, Object.fromEntries(routes), {}, patient);
    for (const [index, { path, first, second, says }] of sites.entries()) {
      const leave = await enter(t, edge, path);
      await until(() => second.requests.length > 0, { every: 2, what: () => 'the second one to be asked' });
      leave();
      await Promise.all([closed(first), closed(second)]);
      await nothingLeft(edge);
      await until(() => edge.requests.filter(({ outcome }) => outcome === 'aborted').length > index, {
        what: () => edge.log,
      });
      const after = edge.app.status().upstreams.find(({ name }) => name === `second${index}`);
      t.match(after?.urls[0], { breakers: { data: 'closed' } }, `the second one ${says}: not its failure`);
    }
  });
}

t.test('many at once, over one session', async (t) => {
  const first = await startMadeUpstream(t, (request) => serveBroken(request, BREAK));
  const second = await startMadeUpstream(t, ({ res, first: from }) => {
    res.writeHead(206, { 'content-range': `bytes ${from}-${TOTAL - 1}/${TOTAL}`, 'content-length': TOTAL - from });
    res.write(CONTENT.subarray(from, from + 100_000));
  });
  const edge = await startEdgeBefore(t, { first, second });
  const client = edge.http2();
  const streams = Array.from({ length: 20 }, () => client.open(BLOB));
  for (const stream of streams) stream.on('error', () => undefined).resume();
  await until(() => second.requests.length >= 20, { every: 5, what: () => 'all to be spliced' });
  for (const stream of streams.slice(0, 10)) stream.close(8);
  await Promise.all(streams.slice(0, 10).map((stream) => stream.closed || once(stream, 'close')));
  client.close();
  await Promise.all([closed(first), closed(second)]);
  await nothingLeft(edge);
  t.pass('nothing is left of them');
});
