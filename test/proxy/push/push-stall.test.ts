import t from 'tap';
import { madeUp } from '../../../src/lab/seed.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { codeOf, MANIFEST_TYPE, manifestOf, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

/** More than the buffers of two sockets hold. */
const LARGE = madeUp(16_000_000, 5);
const SMALL = madeUp(100, 6);
const STALL = '1s';
const PROBES = { timeout: '200ms', fall: 2 };

async function session(client: Client): Promise<string> {
  const begun = await client.ask('/v2/team/new/blobs/uploads/', { method: 'POST' });
  return String(begun.headers.location);
}

const WRITES: Record<string, (client: Client) => Promise<() => Promise<Reply>>> = {
  'PATCH of a large part': async (client) => {
    const path = await session(client);
    return () => client.ask(path, { method: 'PATCH', body: LARGE });
  },
  'PUT of a large blob': async (client) => {
    const path = `${await session(client)}?digest=${sha256(LARGE)}`;
    return () => client.ask(path, { method: 'PUT', body: LARGE });
  },
  'PUT of a small blob': async (client) => {
    const path = `${await session(client)}?digest=${sha256(SMALL)}`;
    return () => client.ask(path, { method: 'PUT', body: SMALL });
  },
  'POST of a large blob': async (client) => {
    const path = `/v2/team/new/blobs/uploads/?digest=${sha256(LARGE)}`;
    return () => client.ask(path, { method: 'POST', body: LARGE });
  },
  'PUT of a manifest': async (client) => {
    const headers = { 'content-type': MANIFEST_TYPE };
    return () => client.ask('/v2/team/new/manifests/1', { method: 'PUT', body: manifestOf(SMALL), headers });
  },
};

t.test('pushes under way when the primary freezes are given up, with the reason', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: PROBES, deadlines: { pushStall: STALL } } });
  const writes = ['http1', 'http2'].flatMap((version) => Object.keys(WRITES).map((name) => ({ version, name })));
  const prepared = await Promise.all(
    writes.map(async ({ version, name }) => WRITES[name]?.(site.edge[version as 'http1' | 'http2']())),
  );
  await site.primary.faults.on('frozen', { kind: ['upload', 'manifest'], path: 'team/new' });
  const before = site.primary.requests.length;
  const replies = prepared.map(async (send) => send?.());
  // All of them are under way.
  await until(
    () => site.primary.requests.slice(before).filter(({ url }) => url.includes('team/new')).length === writes.length,
  );
  await site.primary.faults.on('frozen');
  for (const [index, { version, name }] of writes.entries()) {
    const reply = await replies[index];
    if (!reply) throw new Error('no reply');
    const says = `${name} over ${version}`;
    t.match(reply, { status: 403, complete: true }, says);
    t.equal(codeOf(reply), 'DENIED', says);
    const reason = /harbor cannot take them \((the|its last) probe (timed out|failed); a push under way did not move/;
    t.match(reply.body.toString(), reason, says);
    // Before, they waited for `limits.clientIdle`.
    t.ok(reply.headersAfter < timeLimit(20_000), `${says}: after ${Math.round(reply.headersAfter)} ms`);
  }
});

t.test('a commit that takes longer works while the probes are good', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: PROBES, deadlines: { pushStall: '100ms' } } });
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const path = await session(client);
    await site.primary.faults.on('delay', { ms: 1500, kind: 'upload' });
    const reply = await client.ask(`${path}?digest=${sha256(SMALL)}`, { method: 'PUT', body: SMALL });
    t.equal(reply.status, 201, `${client.version}: ${reply.body}`);
    await site.primary.faults.off();
  }
});
