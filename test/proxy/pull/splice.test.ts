import t from 'tap';
import type { FaultInput, FaultName } from '../../../src/lab/fault.ts';
import { CLOUD, clientRequests, sha256 } from '../../helpers/lab-site.ts';
import { BLOB, back, CONTENT, DIGEST, lineOf, nothingLeft, rangeOf, startSpliceSite, TOTAL } from './splice-site.ts';

// A blob whose upstream fails in the middle goes on from the next one, and its client does not notice.

const OVERLAP = 65_536;
const PROBE = { interval: '50ms', fastInterval: '20ms', rise: 1, fall: 1, holdDown: '0s' };
const FAULTS: [FaultName, FaultInput & { bytes: number }, reason: string][] = [
  ['cut', { bytes: 1 }, 'reset'],
  ['cut', { bytes: OVERLAP }, 'reset'],
  ['cut', { bytes: 262_144 }, 'reset'],
  ['cut', { bytes: 500_000 }, 'reset'],
  ['cut', { bytes: TOTAL - 1 }, 'reset'],
  ['short', { bytes: 333_333 }, 'short'],
  ['short', { bytes: TOTAL - 1 }, 'short'],
  ['stall', { bytes: 1 }, 'stall'],
  ['stall', { bytes: 400_000 }, 'stall'],
];

t.test('the whole blob, wherever its upstream fails', async (t) => {
  const site = await startSpliceSite(t, { harbor: { probe: PROBE, deadlines: { stall: '300ms' } } });
  const { edge, primary, fallback } = site;
  for (const client of [edge.http1(), edge.http2()]) {
    for (const [fault, input, reason] of FAULTS) {
      await back(site, client);
      await primary.faults.on(fault, input);
      fallback.forget();
      const reply = await client.ask(BLOB);
      await primary.faults.off();
      const says = `${client.version}: ${fault} after ${input.bytes}`;
      t.match(reply, { status: 200, complete: true, headers: { 'x-breakwater-upstream': 'harbor' } }, says);
      t.equal(sha256(reply.body), DIGEST, 'all of it, as it should be');
      t.match(reply.headers, { 'content-length': String(TOTAL), 'docker-content-digest': DIGEST });
      const [asked] = clientRequests(fallback);
      t.match(asked, { method: 'GET', url: `/v2/${CLOUD}library/big/blobs/${DIGEST}`, status: 206 });
      const { first: at } = (asked && rangeOf(asked)) ?? {};
      const latest = Math.max(0, input.bytes - OVERLAP);
      if (at === undefined) t.fail('no range was asked for');
      // A reset takes with it what was still on its way.
      else if (fault === 'cut') t.ok(at <= latest, `from ${at}`);
      else t.equal(at, latest, 'the overlap, and what is left');
      t.equal(asked?.headers.range, `bytes=${at}-`);
      t.match(await lineOf(edge, reply), {
        outcome: 'fallback',
        status: 200,
        upstream: 'gcr',
        attempts: [
          { upstream: 'harbor', outcome: 'failed', reason },
          { upstream: 'gcr', outcome: 'served' },
        ],
        splices: [{ from: 'harbor', to: 'gcr', reason, at }],
        bytesOut: TOTAL,
      });
    }
  }
  await nothingLeft(edge);
  t.match((await edge.admin('/metrics')).body, /^breakwater_splices_total\{.*from="harbor",to="gcr".*\} \d+$/m);
});

t.test('parts of it', async (t) => {
  const parts: [range: string, first: number, last: number][] = [
    ['bytes=100000-699999', 100_000, 699_999],
    ['bytes=0-299999', 0, 299_999],
    ['bytes=0-', 0, TOTAL - 1],
    ['bytes=450000-', 450_000, TOTAL - 1],
    ['bytes=-200000', TOTAL - 200_000, TOTAL - 1],
    [`bytes=600000-${TOTAL + 5}`, 600_000, TOTAL - 1],
    ['bytes=70000-70001', 70_000, 70_001],
  ];
  const site = await startSpliceSite(t, { harbor: { probe: PROBE, deadlines: { stall: '300ms' } } });
  const { edge, primary, fallback } = site;
  for (const client of [edge.http1(), edge.http2()]) {
    for (const [range, first, last] of parts) {
      await back(site, client);
      const length = last - first + 1;
      const bytes = Math.floor(length / 2);
      await primary.faults.on('short', { bytes });
      fallback.forget();
      const reply = await client.ask(BLOB, { headers: { range } });
      await primary.faults.off();
      t.match(reply, { status: 206, complete: true, headers: { 'x-breakwater-upstream': 'harbor' } }, range);
      t.equal(reply.headers['content-range'], `bytes ${first}-${last}/${TOTAL}`);
      t.ok(reply.body.equals(CONTENT.subarray(first, last + 1)), `${client.version}: exactly those bytes`);
      const [asked] = clientRequests(fallback);
      const from = first + Math.max(0, bytes - OVERLAP);
      t.strictSame(asked && rangeOf(asked), { first: from, last }, 'no more than the client wants');
    }
  }
  await nothingLeft(edge);
});

t.test('parts side by side, as containerd asks for them', async (t) => {
  const site = await startSpliceSite(t);
  const { edge, primary } = site;
  const size = 100_000;
  for (const client of [edge.http1(), edge.http2()]) {
    await primary.faults.on('cut', { fraction: 0.6 });
    const parts = await Promise.all(
      Array.from({ length: TOTAL / size }, (_, index) =>
        client.ask(BLOB, { headers: { range: `bytes=${index * size}-${(index + 1) * size - 1}` } }),
      ),
    );
    await primary.faults.off();
    for (const part of parts) t.match(part, { status: 206, complete: true });
    t.equal(
      sha256(Buffer.concat(parts.map(({ body }) => body))),
      DIGEST,
      `${client.version}: together they are the blob`,
    );
  }
  await nothingLeft(edge);
});

t.test('more than once, to and fro', async (t) => {
  const site = await startSpliceSite(t);
  const { edge, primary, fallback } = site;
  for (const client of [edge.http1(), edge.http2()]) {
    await primary.faults.on('cut', { bytes: 300_000, times: 2 });
    await fallback.faults.on('short', { bytes: 200_000, times: 1 });
    const reply = await client.ask(BLOB);
    t.match(reply, { status: 200, complete: true });
    t.equal(sha256(reply.body), DIGEST, client.version);
    const { splices = [] } = await lineOf(edge, reply);
    t.ok(splices.length >= 2, `${splices.length} changes`);
    t.ok(new Set(splices.map(({ to }) => to)).size === 2, 'and back again');
    await Promise.all([primary.faults.off(), fallback.faults.off()]);
  }
  await nothingLeft(edge);
});

t.test('a blob that must not be spliced ends short', async (t) => {
  const site = await startSpliceSite(t, { harbor: { probe: PROBE }, config: { splice: { enabled: false } } });
  const { edge, primary, fallback } = site;
  for (const client of [edge.http1(), edge.http2()]) {
    await back(site, client);
    await primary.faults.on('cut', { bytes: 300_000 });
    fallback.forget();
    const reply = await client.ask(BLOB);
    await primary.faults.off();
    t.match(reply, { status: 200, complete: false, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.ok(reply.body.equals(CONTENT.subarray(0, reply.body.length)));
    t.match(await lineOf(edge, reply), { outcome: 'cut', splices: undefined });
    t.equal(clientRequests(fallback).length, 0, 'no other upstream is asked');
  }
  await nothingLeft(edge);
});
