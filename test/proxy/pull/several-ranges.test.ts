import t from 'tap';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { partsOf } from '../../helpers/multipart.ts';
import {
  BLOB,
  CONTENT,
  DIGEST,
  lineOf,
  type MadeRequest,
  nothingLeft,
  serveRight,
  startEdgeBefore,
  startMadeUpstream,
  startSpliceSite,
  TOTAL,
} from './splice-site.ts';

// Several ranges of a blob in one request: clients of zstd:chunked and eStargz images ask so.

const GAP = 65_536;

const ask = (client: Client, set: string, headers: Record<string, string> = {}) =>
  client.ask(BLOB, { headers: { range: `bytes=${set}`, ...headers } });

/** `0-9 100-199`, if the parts have the bytes of the blob; else what is wrong. */
function shown(reply: Reply): string {
  const parts = partsOf(reply);
  const wrong = parts.find(
    ({ first, last, total, bytes }) => total !== TOTAL || !bytes.equals(CONTENT.subarray(first, last + 1)),
  );
  if (wrong) return `wrong bytes in ${wrong.first}-${wrong.last}/${wrong.total}`;
  if (!reply.complete || Number(reply.headers['content-length']) !== reply.body.length)
    return 'not as long as promised';
  return parts.map(({ first, last }) => `${first}-${last}`).join(' ');
}

const isWhole = ({ status, complete, body, headers }: Reply) =>
  status === 200 && complete && body.equals(CONTENT) && headers['content-range'] === undefined;

/** Answers as a registry that refuses several ranges should, and as many do. */
function serveSingle(request: MadeRequest): void {
  if (request.req.headers.range?.includes(',')) request.res.writeHead(501).end();
  else if (request.first >= TOTAL) request.res.writeHead(416, { 'content-range': `bytes */${TOTAL}` }).end();
  else serveRight({ ...request, last: Math.min(request.last, TOTAL - 1) });
}

/** Offsets of parts that need a read each. */
const apart = (count: number) => Array.from({ length: count }, (_, index) => index * (GAP + 100));
const apartSet = (count: number, length = 10) =>
  apart(count)
    .map((first) => `${first}-${first + length - 1}`)
    .join(',');

t.test('a part for each range, in the order of the request', async (t) => {
  const site = await startSpliceSite(t);
  const rows: [string, string, string?][] = [
    ['0-9,100-199', '0-9 100-199'],
    ['0-9,10-19', '0-9 10-19', 'side by side, they stay two'],
    [`0-9, ${GAP + 1000}-${GAP + 1999}`, `0-9 ${GAP + 1000}-${GAP + 1999}`, 'far apart'],
    [`0-9,${TOTAL - 10}-`, `0-9 ${TOTAL - 10}-${TOTAL - 1}`, 'an open end'],
    ['0-999,4500-5499,-1000', `0-999 4500-5499 ${TOTAL - 1000}-${TOTAL - 1}`, 'a suffix'],
    ['500-599,0-99', '500-599 0-99', 'backwards'],
    ['0-99,50-149', '0-99 50-149', 'overlapping'],
    [`0-9,${TOTAL}-`, '0-9', 'one beyond the end'],
    [`${TOTAL}-,20-29,0-9`, '20-29 0-9', 'one beyond the end first'],
    [`${TOTAL + 5}-,-7`, `${TOTAL - 7}-${TOTAL - 1}`, 'only a suffix is left'],
    [`0-499999,500000-${TOTAL + 5}`, `0-499999 500000-${TOTAL - 1}`, 'all of it in two parts'],
    ['0-0,,2-2 ,', '0-0 2-2', 'empty elements'],
  ];
  for (const client of [site.edge.http1(), site.edge.http2()])
    for (const [set, expected, name] of rows) {
      const reply = await ask(client, set);
      t.match(reply, { status: 206, headers: { 'x-breakwater-upstream': 'harbor', 'docker-content-digest': DIGEST } });
      t.equal(reply.headers['content-range'], undefined, 'it is not about one range');
      t.equal(shown(reply), expected, `${client.version} ${set}: ${name ?? expected}`);
    }
  const single = await ask(site.edge.http1(), '3-7,');
  t.match(single, { status: 206, headers: { 'content-range': `bytes 3-7/${TOTAL}` }, body: CONTENT.subarray(3, 8) });
  await nothingLeft(site.edge);
});

t.test('what several ranges are not for', async (t) => {
  const site = await startSpliceSite(t);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    t.match(await ask(client, `${TOTAL}-,${TOTAL + 9}-${TOTAL + 10}`), { status: 416 }, 'all are beyond the end');
    t.match(await ask(client, '0-9,5-x'), { status: 416 }, 'malformed');
    t.ok(isWhole(await ask(client, '0-,0-')), 'together they are longer than the blob');
    t.ok(isWhole(await ask(client, `-${TOTAL},-1`)), 'the same with suffixes');
    const tiny = Array.from({ length: 1025 }, (_, index) => `${2 * index}-${2 * index}`);
    t.ok(isWhole(await ask(client, tiny.join(','))), 'more parts than podman asks for');
    const head = await client.ask(BLOB, { method: 'HEAD', headers: { range: 'bytes=0-9,20-29' } });
    t.match(head, { status: 200, headers: { 'content-length': String(TOTAL) } }, 'HEAD has no ranges');
    t.equal(head.body.length, 0);
    const manifest = await client.ask('/v2/library/big/manifests/1', { headers: { range: 'bytes=0-9,20-29' } });
    t.match(manifest, { status: 200, complete: true }, 'a manifest is sent whole');
    t.equal(JSON.parse(String(manifest.body)).schemaVersion, 2);
    t.match(
      await client.ask(`/v2/library/big/blobs/sha256:${'0'.repeat(64)}`, { headers: { range: 'bytes=0-9,20-29' } }),
      { status: 404 },
      'a blob that is not there',
    );
    const known = { 'if-none-match': `"${DIGEST}"` };
    t.match(await ask(client, '0-9,20-29', known), { status: 304 }, 'what the client has already');
  }
  await nothingLeft(site.edge);
});

t.test('1,024 parts, as podman asks for them', async (t) => {
  const site = await startSpliceSite(t);
  // Offsets in a blob of some ten GB have eleven digits.
  const digits = (number: number) => String(number).padStart(11, '0');
  const spans = Array.from({ length: 1024 }, (_, index) => [index * 800, index * 800 + 99] as const);
  const set = spans.map((span) => span.map(digits).join('-')).join(',');
  t.ok(set.length > 24_000);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    site.primary.forget();
    const reply = await ask(client, set, { authorization: `Bearer ${'x'.repeat(4000)}` });
    t.equal(reply.status, 206, client.version);
    t.equal(shown(reply), spans.map((span) => span.join('-')).join(' '));
    t.match(await lineOf(site.edge, reply), {
      parts: 1024,
      status: 206,
      outcome: 'served',
      bytesOut: reply.body.length,
    });
    const ranges = site.primary.requests.map(({ headers }) => headers.range);
    t.strictSame(ranges, [`bytes=0-${1023 * 800 + 99}`], 'small gaps are read, in one request');
  }
  await nothingLeft(site.edge);
});

t.test('upstreams get one range at a time, and four requests at once', async (t) => {
  const waiting: MadeRequest[] = [];
  let most = 0;
  const only = await startMadeUpstream(t, (request) => {
    // The first answer tells the length of the blob. Then four wait for an answer until the fourth has come.
    most = Math.max(most, waiting.push(request));
    if (request.nth === 0 || waiting.length === 4) for (const one of waiting.splice(0)) serveSingle(one);
  });
  const edge = await startEdgeBefore(t, { only }, {}, { deadlines: { stall: '5s', blob: '8s' } });
  const reply = await ask(edge.http1(), apartSet(13));
  t.equal(reply.status, 206);
  t.equal(shown(reply), apartSet(13).replaceAll(',', ' '));
  t.strictSame(
    only.ranges,
    apart(13).map((first) => `bytes=${first}-${first + 9}`),
  );
  t.equal(most, 4, 'at once');
  t.match(await lineOf(edge, reply), { parts: 13, attempts: [{ upstream: 'only', outcome: 'served', reads: 13 }] });
  const { body: metrics } = await edge.admin('/metrics');
  const counted = /^breakwater_attempts_total\{upstream="only",class="data",outcome="served",reason="-"\} (\d+)$/m;
  t.equal(counted.exec(metrics)?.[1], '13', 'each one is counted');
  await nothingLeft(edge);
});

t.test('where places are few, reads wait for each other', async (t) => {
  for (const data of [1, 2, 3]) {
    let most = 0;
    let waiting = 0;
    const only = await startMadeUpstream(t, (request) => {
      waiting += 1;
      most = Math.max(most, waiting);
      setImmediate(() => {
        waiting -= 1;
        serveSingle(request);
      });
    });
    const edge = await startEdgeBefore(t, { only }, {}, { maxInFlight: { data } });
    const clients = [edge.http1(), edge.http2(), edge.http1(), edge.http2(), edge.http1()];
    const replies = await Promise.all(clients.map((client) => ask(client, apartSet(13))));
    t.ok(
      replies.every((reply) => reply.status === 206 && shown(reply) === apartSet(13).replaceAll(',', ' ')),
      `${data} at once`,
    );
    t.ok(most <= data);
    await nothingLeft(edge);
  }
});

t.test('an upstream that ignores ranges, or has no length, is relayed as it is', async (t) => {
  const rows: [string, (request: MadeRequest) => unknown][] = [
    ['200', ({ res }) => res.writeHead(200, { 'content-length': TOTAL }).end(CONTENT)],
    [
      '206 without a total',
      (request) => {
        const { req, res, first, last } = request;
        if (!req.headers.range) return serveRight(request);
        res.writeHead(206, { 'content-range': `bytes ${first}-${last}/*` }).end(CONTENT.subarray(first, last + 1));
      },
    ],
  ];
  for (const [name, answer] of rows) {
    const only = await startMadeUpstream(t, answer);
    const edge = await startEdgeBefore(t, { only });
    for (const client of [edge.http1(), edge.http2()])
      t.ok(isWhole(await ask(client, '0-9,20-29')), `${client.version}: ${name}`);
    await nothingLeft(edge);
  }
});

t.test('If-Range is for the upstream to judge', async (t) => {
  const only = await startMadeUpstream(t, (request) => {
    const condition = request.req.headers['if-range'];
    if (condition === undefined || condition === '"right"') serveSingle(request);
    else request.res.writeHead(200, { 'content-length': TOTAL }).end(CONTENT);
  });
  const edge = await startEdgeBefore(t, { only });
  const client = edge.http1();
  t.equal(
    shown(await ask(client, `0-9,${GAP + 100}-${GAP + 199}`, { 'if-range': '"right"' })),
    `0-9 ${GAP + 100}-${GAP + 199}`,
  );
  t.equal(only.requests.at(-1)?.headers['if-range'], undefined, 'later reads need no condition');
  t.ok(isWhole(await ask(client, '0-9,20-29', { 'if-range': '"wrong"' })));
  t.match(await ask(client, '0-9', { 'if-range': '"right"' }), { status: 206 });
  t.ok(isWhole(await ask(client, '0-9', { 'if-range': '"wrong"' })), 'and so for one range');
  await client.ask(BLOB, { headers: { 'if-range': '"wrong"' } });
  t.equal(only.requests.at(-1)?.headers['if-range'], undefined, 'without a range it means nothing');
});

t.test('a fallback serves, with a warning', async (t) => {
  const site = await startSpliceSite(t);
  await site.primary.faults.on('errors', { kind: 'blob' });
  const reply = await ask(site.edge.http2(), `0-9,${GAP + 100}-${GAP + 199}`);
  t.match(reply, { status: 206, headers: { 'x-breakwater-upstream': 'gcr', warning: /served by gcr because harbor/ } });
  t.equal(shown(reply), `0-9 ${GAP + 100}-${GAP + 199}`);
  t.match(await lineOf(site.edge, reply), { outcome: 'fallback', upstream: 'gcr', parts: 2 });
});

t.test('a redirect that is passed on is for the client to follow', async (t) => {
  const site = await startSpliceSite(t, {
    primary: { downloads: 'redirect' },
    harbor: { redirects: { mode: 'pass' } },
  });
  t.match(await ask(site.edge.http1(), '0-9,20-29'), { status: 302, headers: { location: /./ } });
  const followed = await startSpliceSite(t, { primary: { downloads: 'redirect' } });
  const reply = await ask(followed.edge.http1(), `0-9,20-29,${GAP + 100}-${GAP + 199}`);
  t.equal(shown(reply), `0-9 20-29 ${GAP + 100}-${GAP + 199}`);
});
