import t from 'tap';
import { PROBE } from '../../helpers/edge-in-process.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { clientRequests, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';
import {
  type Answer,
  allQuiet,
  BY_DIGEST,
  type HedgedLine,
  MANIFEST,
  serveRight,
  startPacedSite,
  status,
} from './paced-upstream.ts';

// Clients that ask for the same manifest at the same time share one answer, if all of them may have it.

const HERD = 200;
/** Milliseconds. */
const PACE = 200;
/** Milliseconds for which a read takes further clients. */
const JOIN_MS = 250;
const BY_TAG = '/v2/app/manifests/1';
/** Only its answers count: nothing is late, and no other upstream is asked. */
const PATIENT = { harbor: { hedge: { floor: '10s' } } };

function askAll(client: Client, count: number, path: string, headers: Record<string, string> = {}): Promise<Reply[]> {
  return Promise.all(Array.from({ length: count }, () => client.ask(path, { headers })));
}

t.test('many clients cause one read', async (t) => {
  const site = await startPacedSite(t, PATIENT);
  const { edge, harbor } = site;
  for (const client of [edge.http1(), edge.http2()]) {
    // With connections of their own, that are there already.
    await askAll(client, HERD, '/v2/');
    for (const path of [BY_TAG, BY_DIGEST]) {
      Object.assign(harbor, { asked: 0, most: 0, pace: PACE });
      const began = performance.now();
      const replies = await askAll(client, HERD, path);
      // Usually one read; on a slow machine later requests begin further ones.
      const took = performance.now() - began;
      const turns = 1 + Math.ceil(took / PACE);
      t.ok(harbor.asked <= turns, `${client.version}: ${harbor.asked} requests for ${HERD}, ${turns} turns`);
      const most = Math.max(2, 1 + Math.floor(took / JOIN_MS));
      t.ok(harbor.most <= most, `${harbor.most} reads at once, at most ${most}`);
      t.ok(
        replies.every(({ status: code, body }) => code === 200 && body.equals(MANIFEST)),
        'all get it',
      );
      const headersOf = ({ headers }: Reply) => JSON.stringify({ ...headers, 'x-request-id': '', date: '' });
      t.equal(new Set(replies.map(headersOf)).size, 1, 'with the same headers');
      t.equal(new Set(replies.map(({ headers }) => headers['x-request-id'])).size, HERD, 'but names of their own');
    }
  }
  await until(() => edge.requests.filter(({ kind }) => kind === 'manifest').length === 4 * HERD);
  const { body } = await edge.admin('/metrics');
  const count = (name: RegExp) => Number(name.exec(body)?.[1]);
  const attempts = count(/^breakwater_attempts_total\{upstream="harbor",class="control",outcome="served".*\} (\d+)$/m);
  t.ok(attempts >= 4 && attempts < HERD, `${attempts} attempts are counted`);
  t.equal(count(/^breakwater_manifests_total\{source="coalesced"\} (\d+)$/m), 4 * HERD - attempts);
});

t.test('requests with different answers are not shared', async (t) => {
  const site = await startPacedSite(t, PATIENT);
  site.harbor.pace = 150;
  const client = site.edge.http2();
  const asks: [path: string, method: string, headers: Record<string, string>][] = [
    [BY_TAG, 'GET', {}],
    [BY_TAG, 'HEAD', {}],
    [BY_DIGEST, 'GET', {}],
    [BY_TAG, 'GET', { accept: 'application/vnd.oci.image.index.v1+json' }],
    [BY_TAG, 'GET', { 'if-none-match': '"sha256:aa"' }],
    ['/v2/app2/manifests/1', 'GET', {}],
    ['/v2/app/manifests/2', 'GET', {}],
  ];
  await Promise.all(asks.flatMap(([path, method, headers]) => [0, 1].map(() => client.ask(path, { method, headers }))));
  // The edge looks once where a client named too few types, beside the reply.
  await until(() => site.harbor.asked > asks.length);
  t.equal(site.harbor.asked, asks.length + 1);
});

const ALLOWED = 'Bearer of-ann';
const byAuthorization: Answer = (req, res) => {
  if (req.headers.authorization === ALLOWED && req.url?.startsWith('/v2/app/')) serveRight(req, res);
  else status(401, { 'www-authenticate': 'Basic realm="harbor"' })(req, res);
};

t.test('a client does not get what only another one may have', async (t) => {
  const forward = { credentials: 'forward', probe: PROBE };
  const site = await startPacedSite(t, { harbor: { ...forward, ...PATIENT.harbor }, config: { manifests: {} } });
  site.harbor.answer = byAuthorization;
  const client = site.edge.http2();
  const mates = [{ authorization: ALLOWED }, { authorization: 'Bearer of-bob' }, {}];
  for (const path of [BY_TAG, BY_DIGEST, BY_DIGEST.replace('app', 'other')]) {
    site.harbor.pace = 100;
    for (const round of ['at the same time', 'when it is in memory']) {
      const replies = await Promise.all(mates.map((headers) => client.ask(path, { headers })));
      const allowed = path.includes('other') ? 401 : 200;
      t.same(
        replies.map((reply) => reply.status),
        [allowed, 401, 401],
        `${path} ${round}`,
      );
    }
  }
});

t.test('with a permission of the edge’s own for one repository no other one opens', async (t) => {
  const site = await startLabSite(t, { harbor: PATIENT.harbor });
  const client = site.edge.http1();
  const { digest } = site.image;
  t.match(await client.ask(`/v2/library/app/manifests/${digest}`), { status: 200 });
  t.match(await client.ask(`/v2/library/other/manifests/${digest}`), { status: 404 });
  t.match(await client.ask(`/v2/library/app/other/manifests/${digest}`), { status: 404 });
  site.primary.forget();
  t.match(await client.ask(`/v2/library/app/manifests/${digest}`), { status: 200 });
  t.same(clientRequests(site.primary), [], 'the first is in memory');
});

t.test('a client that leaves does not end the shared read', async (t) => {
  const site = await startPacedSite(t, PATIENT);
  site.harbor.pace = 200;
  const session = site.edge.http2();
  const leaving = session.open(BY_TAG);
  leaving.on('error', () => undefined);
  await until(() => site.harbor.open.size === 1, { every: 2 });
  const stays = [session.ask(BY_TAG), site.edge.http1().ask(BY_TAG)];
  leaving.close(8);
  for (const reply of await Promise.all(stays)) t.equal(sha256(reply.body), sha256(MANIFEST));
  t.equal(site.harbor.asked, 1);
  t.equal(site.harbor.left, 0);
  await until(() => site.edge.requests.length === 3, { what: () => 'three lines' });
  const lines = site.edge.requests as HedgedLine[];
  t.same(lines.map(({ outcome }) => outcome).sort(), ['aborted', 'served', 'served']);
  const { body } = await site.edge.admin('/metrics');
  t.match(
    body,
    /^breakwater_attempts_total\{upstream="harbor",class="control",outcome="served".*\} 1$/m,
    'counted once',
  );
});

t.test('the last client that leaves ends the shared read', async (t) => {
  const site = await startPacedSite(t, PATIENT);
  site.harbor.pace = 'never';
  const session = site.edge.http2();
  const streams = [BY_TAG, BY_TAG, BY_DIGEST].map((path) => session.open(path).on('error', () => undefined));
  await until(() => site.harbor.open.size === 2, { every: 2 });
  streams[0]?.close(8);
  streams[2]?.close(8);
  await until(() => site.harbor.open.size === 1, { every: 2, what: () => 'the one by digest to be left' });
  t.equal(site.harbor.left, 1, 'the other read continues for the client that stays');
  streams[1]?.close(8);
  await until(() => site.harbor.open.size === 0, { every: 2, what: () => 'harbor to be left' });
  await allQuiet(site.edge);
  site.harbor.pace = 0;
  t.match(await session.ask(BY_TAG), { status: 200 }, 'a later client asks again');
});
