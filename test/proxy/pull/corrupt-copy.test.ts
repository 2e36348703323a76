import { randomBytes } from 'node:crypto';
import t from 'tap';
import { PROBE } from '../../helpers/edge-in-process.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { CLOUD, clientRequests, INNER, type LabSite, sha256, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import { asksFirst, lineFor } from './paced-upstream.ts';

// Blobs whose bytes at an upstream are not what their digest says.

const BIG = randomBytes(700_000);
const SMALL = randomBytes(500);
const pathOf = (bytes: Buffer) => `/v2/library/big/blobs/${sha256(bytes)}`;

async function startSite(owner: Owner, verify?: 'first' | 'always' | 'never'): Promise<LabSite> {
  // One blob is corrupt, and no upstream is to be asked less for it.
  const unbroken = { breaker: { consecutive: 1000, volume: 1000 }, probe: PROBE, hedge: { floor: '10s' } };
  const config = verify === undefined ? {} : { verify };
  const site = await startLabSite(owner, { harbor: unbroken, gcr: unbroken, config });
  for (const [registry, prefix] of [
    [site.primary, INNER],
    [site.fallback, CLOUD],
  ] as const)
    registry.seed(`${prefix}library/big`, '1', { blobs: [BIG, SMALL] });
  return site;
}

const rot = ({ primary }: LabSite) => primary.faults.on('corrupt', { kind: 'blob', path: 'library/big' });

/** A reply, or undefined where the connection was cut before its head. */
const pull = (client: Client, bytes: Buffer, headers: Record<string, string> = {}): Promise<Reply | undefined> =>
  client.ask(pathOf(bytes), { headers }).catch(() => undefined);

const isWhole = (reply: Reply | undefined, bytes: Buffer) =>
  reply?.status === 200 && reply.complete && reply.body.equals(bytes);

/** Waits until the primary is asked first for what it has right. */
async function settled(site: LabSite): Promise<void> {
  await asksFirst(site, 'harbor', 'library/big:1');
}

t.test('the first client gets a part, and with its retry the whole', async (t) => {
  for (const version of ['http1', 'http2'] as const) {
    for (const bytes of [BIG, SMALL]) {
      const site = await startSite(t);
      await rot(site);
      const client = site.edge[version]();
      const first = await pull(client, bytes);
      t.notOk(first?.complete, `${version}, ${bytes.length} bytes: never a complete response`);
      t.ok((first?.body.length ?? 0) < bytes.length, 'short by its end');
      const retry = await pull(client, bytes);
      t.ok(isWhole(retry, bytes), 'the right bytes');
      t.match(retry?.headers, { 'x-breakwater-upstream': 'gcr' });
      const line = await site.edge.line(({ kind, outcome }) => kind === 'blob' && outcome === 'cut');
      t.match(line, { verified: 'wrong', attempts: [{ upstream: 'harbor', outcome: 'failed', reason: 'digest' }] });
      await settled(site);
      const third = (await pull(client, bytes)) as Reply;
      t.ok(isWhole(third, bytes), 'as long as it is corrupt');
      t.match(third.headers, { 'x-breakwater-upstream': 'gcr', warning: /its copy of the blob is corrupt/ });
      t.match(await site.edge.admin('/metrics'), { body: /^breakwater_corrupt_copies\{upstream="harbor"\} 1$/m });
    }
  }
});

t.test('parts of it are never taken from there', async (t) => {
  const site = await startSite(t);
  const client = site.edge.http1();
  await rot(site);
  await pull(client, BIG);
  await settled(site);
  site.primary.forget();
  for (const [first, last] of [
    [0, 99],
    [0, BIG.length - 1],
    [349_000, 351_000],
  ] as const) {
    const reply = (await pull(client, BIG, { range: `bytes=${first}-${last}` })) as Reply;
    t.match(reply, { status: 206, complete: true, headers: { 'x-breakwater-upstream': 'gcr', warning: /corrupt/ } });
    t.ok(reply.body.equals(BIG.subarray(first, last + 1)));
  }
  await site.fallback.faults.on('down');
  t.match(await pull(client, BIG, { range: 'bytes=0-99' }), { status: 503 }, 'not even when no other upstream has it');
  t.same(clientRequests(site.primary), []);
});

t.test('a herd pays once', async (t) => {
  const site = await startSite(t);
  const { edge } = site;
  const client = edge.http2();
  const herd = await Promise.all(Array.from({ length: 10 }, () => pull(client, BIG)));
  t.ok(herd.every((reply) => isWhole(reply, BIG)));
  await pull(client, BIG);
  await until(() => edge.requests.filter(({ kind }) => kind === 'blob').length === 11);
  const verified = edge.requests.filter((line) => 'verified' in line);
  t.equal(verified.length, 1, 'the first transfer is hashed');
  t.match(verified, [{ verified: 'right' }]);
  await site.primary.faults.on('down');
  await pull(client, BIG);
  await pull(client, BIG);
  await until(() => edge.requests.filter(({ kind }) => kind === 'blob').length === 13);
  t.equal(edge.requests.filter((line) => 'verified' in line).length, 2, 'and that of another upstream');
});

t.test('a copy that was put right', async (t) => {
  const site = await startSite(t);
  const client = site.edge.http1();
  await rot(site);
  await pull(client, BIG);
  await site.fallback.faults.on('errors');
  const wrong = await pull(client, BIG);
  t.notOk(wrong?.complete, 'asked as the last one while it is wrong');
  await site.primary.faults.off();
  await settled(site);
  const healed = (await pull(client, BIG)) as Reply;
  t.ok(isWhole(healed, BIG), 'asked as the last one');
  t.match(await lineFor(site.edge, healed), { verified: 'right', upstream: 'harbor' });
  await site.fallback.faults.off();
  const after = (await pull(client, BIG, { range: 'bytes=0-99' })) as Reply;
  t.match(after, { status: 206, headers: { 'x-breakwater-upstream': 'harbor' } }, 'it serves again, parts too');
  t.match(await site.edge.admin('/metrics'), { body: /^breakwater_corrupt_copies\{upstream="harbor"\} 0$/m });
});

t.test('a corrupt copy is no hedge for a slow upstream', async (t) => {
  const site = await startSite(t);
  const client = site.edge.http1();
  await rot(site);
  await pull(client, BIG);
  await settled(site);
  await site.edge.reload({ ...site.config, upstreams: eager(site) });
  await settled(site);
  await site.fallback.faults.on('delay', { ms: timeLimit(500), kind: 'blob' });
  for (let count = 0; count < 3; count += 1) {
    const reply = (await pull(client, BIG)) as Reply;
    t.ok(isWhole(reply, BIG));
    t.match(reply.headers, { 'x-breakwater-upstream': 'gcr' });
  }
});

/** The same, but of whom answers are late soon. */
function eager({ config }: LabSite): Record<string, unknown> {
  const { upstreams } = config as { upstreams: Record<string, object> };
  return { ...upstreams, gcr: { ...upstreams.gcr, hedge: { floor: '40ms' } } };
}

t.test('wrong everywhere', async (t) => {
  const site = await startSite(t);
  await rot(site);
  await site.fallback.faults.on('corrupt', { kind: 'blob', path: 'library/big' });
  const client = site.edge.http2();
  for (let attempt = 0; attempt < 6; attempt += 1) t.notOk((await pull(client, BIG))?.complete);
});

t.test('verify: always', async (t) => {
  const site = await startSite(t, 'always');
  const client = site.edge.http1();
  for (let count = 0; count < 2; count += 1) {
    const reply = (await pull(client, BIG)) as Reply;
    t.match(await lineFor(site.edge, reply), { verified: 'right', upstream: 'harbor' });
  }
  await rot(site);
  t.notOk((await pull(client, BIG))?.complete, 'what rots later is found too');
  t.ok(isWhole(await pull(client, BIG), BIG));
});

t.test('verify: never', async (t) => {
  const site = await startSite(t, 'never');
  await rot(site);
  const reply = (await pull(site.edge.http1(), BIG)) as Reply;
  t.match(reply, { status: 200, complete: true, headers: { 'x-breakwater-upstream': 'harbor' } });
  t.notOk(reply.body.equals(BIG), 'clients check for themselves');
  t.notHas(await lineFor(site.edge, reply), { verified: '' });
});

t.test('a reload without verification', async (t) => {
  const site = await startSite(t);
  await rot(site);
  const client = site.edge.http1();
  await pull(client, BIG);
  await site.primary.faults.off();
  await settled(site);
  await site.edge.reload({ ...site.config, verify: 'never' });
  t.match(
    await pull(client, BIG),
    { headers: { 'x-breakwater-upstream': 'harbor' } },
    'what was found is of no account',
  );
});
