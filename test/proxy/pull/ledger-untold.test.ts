import t from 'tap';
import { MANIFEST_TYPE, sha256 } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { tagWarning } from './ledger-site.ts';
import {
  type Answer,
  asksFirst,
  BY_DIGEST,
  lineFor,
  MANIFEST,
  serveRight,
  startPacedSite,
  status,
} from './paced-upstream.ts';

// Registries that do not tell the digest of what they show.

const BY_TAG = '/v2/app/manifests/1';
const DIGEST = BY_DIGEST.slice(BY_DIGEST.lastIndexOf('/') + 1);
const HEAD_ONLY = { 'content-type': MANIFEST_TYPE };
const UNCHANGED = { 'if-none-match': `"${DIGEST}"` };
const OTHER = Buffer.from('{"schemaVersion":2}');

/** A manifest without Docker-Content-Digest. */
const untold =
  (bytes: Buffer): Answer =>
  (req, res) => {
    if (req.headers['if-none-match']) return res.writeHead(304, { etag: req.headers['if-none-match'] }).end();
    res.writeHead(200, { ...HEAD_ONLY, 'content-length': bytes.length });
    return res.end(req.method === 'HEAD' ? undefined : bytes);
  };

t.test('a tag of a fallback without a known digest', async (t) => {
  const site = await startPacedSite(t);
  const client = site.edge.http1();
  await client.ask(BY_TAG);
  site.gcr.answer = untold(MANIFEST);
  site.harbor.answer = status(500);
  const shows = await client.ask(BY_TAG);
  t.match(await lineFor(site.edge, shows), { tag: { verdict: 'current', action: 'served' } }, 'its bytes tell');
  const head = await client.ask(BY_TAG, { method: 'HEAD' });
  t.match(await lineFor(site.edge, head), { tag: { verdict: 'current', action: 'served' } }, 'a GET tells for a HEAD');
  const unchanged = await client.ask(BY_TAG, { headers: UNCHANGED });
  t.match(unchanged, { status: 304 });
  t.match(
    tagWarning(unchanged),
    /^tag 1 at gcr is a manifest whose digest it does not tell, which harbor was not seen/,
  );
  site.gcr.answer = untold(OTHER);
  t.match(tagWarning(await client.ask(BY_TAG)), new RegExp(`^tag 1 at gcr is ${sha256(OTHER)}, which`));
  const unrecorded = await client.ask('/v2/app/manifests/2', { method: 'HEAD' });
  t.match(unrecorded, { status: 200 });
  t.equal(tagWarning(unrecorded), undefined, 'an unrecorded tag has no warning');
});

t.test('it waits for a primary that is slow', async (t) => {
  const site = await startPacedSite(t);
  await site.edge.http1().ask(BY_TAG);
  await asksFirst(site);
  site.harbor.pace = timeLimit(400);
  site.gcr.answer = untold(MANIFEST);
  const reply = await site.edge.http1().ask(BY_TAG, { headers: UNCHANGED });
  t.match(reply, { headers: { 'x-breakwater-upstream': 'harbor' } });
  const head = await site.edge.http1().ask(BY_TAG, { method: 'HEAD' });
  t.match(head, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, 'a GET tells for a HEAD');
});

t.test('one that sends clients elsewhere', async (t) => {
  const site = await startPacedSite(t, { gcr: { redirects: { mode: 'pass' } } });
  const client = site.edge.http1();
  await client.ask(BY_TAG);
  site.gcr.answer = status(307, { location: 'https://elsewhere.test/v2/app/manifests/1' });
  site.harbor.answer = status(500);
  const reply = await client.ask(BY_TAG);
  t.match(reply, { status: 307 });
  t.match(tagWarning(reply), /whose digest it does not tell/);
});

t.test('a push whose answer has the digest in its Location only', async (t) => {
  const site = await startPacedSite(t);
  const client = site.edge.http1();
  const put = { method: 'PUT', body: MANIFEST, headers: HEAD_ONLY };
  site.harbor.answer = status(201, { location: BY_DIGEST });
  t.match(await client.ask(BY_TAG, put), { status: 201 });
  site.harbor.answer = status(201, { location: BY_TAG });
  t.match(await client.ask('/v2/app/manifests/3', put), { status: 201 });
  site.harbor.answer = status(500);
  const reply = await client.ask(BY_TAG);
  t.match(await lineFor(site.edge, reply), { upstream: 'gcr', tag: { verdict: 'current' } });
  site.gcr.answer = untold(OTHER);
  t.match(tagWarning(await client.ask(BY_TAG)), /which harbor was not seen to have/);
  t.match((await lineFor(site.edge, await client.ask('/v2/app/manifests/3'))).tag, { verdict: 'unrecorded' });
  site.harbor.answer = serveRight;
});
