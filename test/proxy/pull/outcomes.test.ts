import t, { type Test } from 'tap';
import { RARE_PROBE } from '../../helpers/edge-in-process.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { clientRequests, codeOf, type LabSite, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { BASIC, both, MANIFEST, PROBED, QUICK, ROWS, type Row } from './outcome-table.ts';

for (const row of ROWS) t.test(row.says, (t) => checkRow(t, row));

async function checkRow(t: Test, row: Row): Promise<void> {
  // Hedges would answer before a deadline passes. Where no deadline is to pass, a busy machine must not let one pass.
  const deadlines = row.fallbackAsked ? { deadlines: QUICK } : {};
  const harbor = { ...deadlines, probe: RARE_PROBE, hedge: { share: 0 }, ...row.site?.harbor };
  const options = { ...row.site, harbor };
  options.gcr = { probe: RARE_PROBE, ...row.site?.gcr };
  // One site a request: after a failure the next request asks elsewhere first.
  const one = async (version: 'http1' | 'http2', index: number) => {
    const site = await startLabSite(t, options);
    const path = (row.paths ?? both)(site)[index];
    if (path === undefined) return;
    await row.given?.(site);
    site.fallback.forget();
    await checkReply(t, row, site, site.edge[version](), path);
  };
  // Together, because most of the time is spent waiting for deadlines.
  await Promise.all([0, 1, 2].flatMap((index) => [one('http1', index), one('http2', index)]));
}

async function checkReply(t: Test, row: Row, site: LabSite, client: Client, path: string): Promise<void> {
  const reply = await client.ask(path, { headers: row.headers ?? {} });
  const what = `${client.version} ${path.slice(0, 40)}`;
  t.match(reply, { status: row.status, complete: true }, what);
  t.ok(reply.headersAfter < timeLimit(5000), 'in time');
  t.equal(reply.headers['x-breakwater-upstream'], row.from, 'X-Breakwater-Upstream');
  t.equal(reply.headers.warning !== undefined, row.from === 'gcr', 'a Warning where it comes from the fallback');
  t.equal(reply.headers['retry-after'] !== undefined, row.status === 503, 'Retry-After on 503');
  t.equal(clientRequests(site.fallback).length > 0, row.fallbackAsked, 'whether the fallback was asked');
  if (row.code !== undefined) t.equal(codeOf(reply), row.code);
  if (row.status === 200) checkContent(t, site, path, reply);
  t.equal(site.leak(reply), undefined, 'nothing of the upstream shows');
  const line = await site.edge.line(({ kind }) => kind === 'blob' || kind === 'manifest');
  t.equal(line.attempts.find(({ upstream }) => upstream === 'harbor')?.reason, row.reason, 'the reason in the log');
}

function checkContent(t: Test, site: LabSite, path: string, { body }: Reply): void {
  if (path.includes('/blobs/')) t.equal(sha256(body), site.blob(), 'the right bytes');
  else if (path.includes('library/app')) t.equal(sha256(body), site.image.digest, 'the right bytes');
}

t.test('an upstream that asked to be left alone is, and is asked last', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: RARE_PROBE } });
  await site.primary.faults.on('rateLimited', { retryAfter: 60 });
  const client = site.edge.http1();
  await client.ask(MANIFEST);
  site.primary.forget();
  t.match(await client.ask(MANIFEST), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.equal(clientRequests(site.primary).length, 0, 'it is not asked again');
  await site.primary.faults.off();
  await site.fallback.faults.on('down');
  t.match(
    await client.ask(MANIFEST),
    { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } },
    'but as the last resort',
  );
});

t.test('wrong credentials are told loudly, and never shown', async (t) => {
  const site = await startLabSite(t, {
    primary: { auth: BASIC },
    harbor: { probe: PROBED, credentials: { username: 'ann', passwordFile: 'x' } },
    settings: { secrets: { harbor: { password: 'wr0ng-secret', probePassword: 'right' } } },
  });
  await site.edge.http1().ask(MANIFEST);
  await site.edge.line(({ kind }) => kind === 'manifest');
  t.match(site.edge.log, /"level":50.*refuses the edge's credentials/);
  t.notMatch(site.edge.log, /wr0ng-secret/);
  t.notMatch(site.edge.log, new RegExp(Buffer.from('ann:wr0ng-secret').toString('base64')));
});
