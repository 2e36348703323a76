import t, { type Test } from 'tap';
import { PROBE } from '../../helpers/edge-in-process.ts';
import type { Client } from '../../helpers/http1-client.ts';
import { sha256 } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import {
  allQuiet,
  asksFirst,
  BLOB,
  BY_DIGEST,
  CONTENT,
  type HedgedLine,
  lineFor,
  MANIFEST,
  type PacedSite,
  startPacedSite,
  status,
} from './paced-upstream.ts';

// The next attempt starts beside one that is late; the first good answer wins.

const HARBOR_LATE = { upstream: 'harbor', outcome: 'failed', reason: 'late' };
const BOTH = (site: PacedSite): Client[] => [site.edge.http1(), site.edge.http2()];

t.test('a late upstream is hedged, and the first good answer is given', async (t) => {
  const asks: [path: string, method: string, headers: Record<string, string>, body: Buffer][] = [
    [BLOB, 'GET', {}, CONTENT],
    [BLOB, 'GET', { range: 'bytes=1000-1999' }, CONTENT.subarray(1000, 2000)],
    [BY_DIGEST, 'GET', {}, MANIFEST],
    [BY_DIGEST, 'HEAD', {}, Buffer.alloc(0)],
    ['/v2/app/manifests/1', 'GET', {}, MANIFEST],
  ];
  const site = await startPacedSite(t, {
    all: { breaker: { consecutive: 100, volume: 1000 } },
    // On a busy machine the reads for the ledger may need hedges, too.
    harbor: { hedge: { floor: '40ms', share: 100 } },
  });
  const { edge, harbor, gcr } = site;
  for (const client of BOTH(site)) {
    // So that the ledger can confirm the tag.
    harbor.pace = 0;
    await until(
      async () => {
        await asksFirst(site);
        return (await client.ask('/v2/app/manifests/1')).headers['x-breakwater-upstream'] === 'harbor';
      },
      { what: () => 'harbor to tell the tag' },
    );
    await allQuiet(edge);
    harbor.pace = 'never';
    for (const [path, method, headers, body] of asks) {
      await asksFirst(site);
      const before = { harbor: harbor.left, gcr: gcr.asked };
      const reply = await client.ask(path, { method, headers });
      const says = `${client.version} ${method} ${path}`;
      t.match(reply, { complete: true, headers: { 'x-breakwater-upstream': 'gcr', warning: /harbor.*late/ } }, says);
      t.equal(sha256(reply.body), sha256(body), 'the right bytes');
      t.ok(reply.headersAfter < timeLimit(1500), `well before any deadline: ${reply.headersAfter}`);
      await until(() => harbor.left === before.harbor + 1 && harbor.open.size === 0, { what: () => 'harbor left' });
      t.equal(gcr.asked, before.gcr + 1, 'asked once');
      t.match(await lineFor(edge, reply), {
        outcome: 'fallback',
        hedges: { started: 1, won: 1, refused: 0 },
        attempts: [{ upstream: 'gcr', outcome: 'served' }, HARBOR_LATE],
      });
    }
  }
  await allQuiet(edge);
  const { body } = await edge.admin('/metrics');
  for (const result of ['started', 'won'] as const) {
    const sum = (edge.requests as HedgedLine[]).reduce((total, line) => total + (line.hedges?.[result] ?? 0), 0);
    t.ok(sum >= 10, `${sum} hedges ${result}`);
    t.match(body, new RegExp(`^breakwater_hedges_total\\{result="${result}"\\} ${sum}$`, 'm'));
  }
  t.equal(site.quay.asked, 0, 'the third was never needed');
});

t.test('an upstream that answers in time is not hedged', async (t) => {
  const site = await startPacedSite(t, { harbor: { hedge: { floor: '2s' } } });
  for (const client of BOTH(site)) for (let count = 0; count < 15; count += 1) await client.ask(BLOB);
  t.equal(site.gcr.asked + site.quay.asked, 0);
  t.equal(site.harbor.asked, 30);
  for (const line of site.edge.requests) t.notHas(line, { hedges: {} });
});

t.test('a late upstream may still answer first', async (t) => {
  const site = await startPacedSite(t);
  site.harbor.pace = timeLimit(250);
  site.gcr.pace = site.quay.pace = 'never';
  for (const client of BOTH(site)) {
    const reply = await client.ask(BLOB);
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.notHas(reply.headers, { warning: '' });
    const line = await lineFor(site.edge, reply);
    t.match(line, { outcome: 'served', hedges: { won: 0 }, attempts: [{ upstream: 'harbor', outcome: 'served' }] });
    t.equal(line.attempts.length, 1, 'a cancelled attempt is no failure');
  }
  await until(() => site.gcr.open.size + site.quay.open.size === 0, { what: () => 'the others to be left' });
  t.match(site.edge.app.status().upstreams[1], { urls: [{ breakers: { data: 'closed' } }] });
  await allQuiet(site.edge);
});

t.test('two silent upstreams of three', async (t) => {
  const site = await startPacedSite(t, { all: { hedge: { floor: '40ms' } } });
  site.harbor.pace = 'never';
  site.gcr.pace = 'never';
  for (const client of BOTH(site)) {
    await asksFirst(site);
    const reply = await client.ask(BY_DIGEST);
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'quay' } });
    t.match(await lineFor(site.edge, reply), {
      hedges: { started: 2, won: 1 },
      attempts: [{ upstream: 'quay', outcome: 'served' }, HARBOR_LATE, { upstream: 'gcr', reason: 'late' }],
    });
  }
  await allQuiet(site.edge);
  t.equal(site.harbor.open.size + site.gcr.open.size, 0);
});

t.test('a bad answer of a hedge does not overtake a slow upstream', async (t) => {
  // One that asks to be left alone comes last: it is.
  const answers = [status(400), status(404), status(500), status(401, { 'www-authenticate': 'Basic' }), status(429)];
  const site = await startPacedSite(t, { all: { credentials: 'forward', probe: PROBE } });
  site.harbor.pace = timeLimit(300);
  for (const [index, answer] of answers.entries()) {
    site.gcr.answer = site.quay.answer = answer;
    await asksFirst(site);
    site.gcr.asked = 0;
    // One client alone cannot use up the budget.
    const headers = { 'x-forwarded-for': `10.0.0.${index}` };
    const replies = await Promise.all([BLOB, BY_DIGEST].map((path) => site.edge.http1().ask(path, { headers })));
    for (const reply of replies) t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.equal(site.gcr.asked, 2, 'though it was asked');
  }
  await allQuiet(site.edge);
});

t.test('a refusal by a fallback is the answer when no upstream serves', async (t) => {
  const site = await startPacedSite(t, {
    all: { probe: PROBE, deadlines: { manifest: '300ms' } },
  });
  site.harbor.pace = 'never';
  site.gcr.answer = status(400);
  const reply = await site.edge.http1().ask(BY_DIGEST);
  t.match(reply, { status: 400, headers: { 'x-breakwater-upstream': 'gcr' } });
});

t.test('a hedge does not serve what the first upstream refuses', async (t) => {
  const site = await startPacedSite(t, { harbor: { credentials: 'forward', probe: PROBE } });
  site.harbor.pace = timeLimit(300);
  site.harbor.answer = status(401, { 'www-authenticate': 'Basic realm="harbor"' });
  site.gcr.pace = timeLimit(800);
  site.quay.pace = 'never';
  for (const client of BOTH(site)) {
    for (const path of [BLOB, BY_DIGEST, '/v2/app/manifests/1']) {
      const reply = await client.ask(path);
      t.match(reply, { status: 401, headers: { 'x-breakwater-upstream': 'harbor' } }, `${client.version} ${path}`);
    }
  }
  await until(() => site.gcr.open.size + site.quay.open.size === 0, { what: () => 'the hedges to be cancelled' });
  await allQuiet(site.edge);
});

t.test('a client that leaves ends all attempts', async (t) => {
  const site = await startPacedSite(t, { all: { hedge: { floor: '40ms' } } });
  for (const upstream of [site.harbor, site.gcr, site.quay]) upstream.pace = 'never';
  await leaveWhen(t, site, () => site.quay.open.size === 1);
  await allQuiet(site.edge);
  for (const { urls } of site.edge.app.status().upstreams)
    t.match(urls, [{ breakers: { data: 'closed', control: 'closed' } }], 'no upstream failed');
});

async function leaveWhen(t: Test, { edge, harbor, gcr, quay }: PacedSite, moment: () => boolean): Promise<void> {
  for (const path of [BLOB, BY_DIGEST]) {
    const stream = edge.http2().open(path);
    stream.on('error', () => undefined);
    await until(moment, { every: 2, what: () => 'the last of them to be asked' });
    stream.close(8);
    await until(() => harbor.open.size + gcr.open.size + quay.open.size === 0, { every: 2, what: () => 'all left' });
    t.pass(`${path}: every upstream is left`);
  }
}
