import { once } from 'node:events';
import fc from 'fast-check';
import t from 'tap';
import type { FaultName } from '../../../src/lab/fault.ts';
import { madeUp } from '../../../src/lab/seed.ts';
import { PROBE, RARE_PROBE } from '../../helpers/edge-in-process.ts';
import { clientRequests, codeOf, type LabSite, pushBlob, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { propertyRuns } from '../../helpers/property-runs.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

const UPLOADS = '/v2/team/new/blobs/uploads/';
const OUTAGES: FaultName[] = ['down', 'frozen', 'storageHung', 'storageGone', 'errors'];
const messageOf = (body: Buffer): string => JSON.parse(body.toString()).errors[0].message;

t.test('an outage that the probes have seen: every write is refused at once, with reason and time', async (t) => {
  for (const fault of OUTAGES) {
    const site = await startLabSite(t, { harbor: { probe: { timeout: '600ms' } } });
    const sessions = await Promise.all(
      [site.edge.http1(), site.edge.http2()].map(async (client) => {
        const begun = await client.ask(UPLOADS, { method: 'POST' });
        return String(begun.headers.location);
      }),
    );
    await site.primary.faults.on(fault);
    await site.edge.pushes('harbor', false);
    const writes: [method: string, path: string][] = [
      ['POST', UPLOADS],
      ['POST', `${UPLOADS}?digest=${sha256('x')}`],
      ['POST', `${UPLOADS}?mount=${site.blob()}&from=library/app`],
      ['PATCH', sessions[0] ?? ''],
      ['PUT', `${sessions[1]}?digest=${sha256('x')}`],
      ['PUT', '/v2/team/new/manifests/1'],
      ['DELETE', `/v2/team/new/blobs/${sha256('x')}`],
      ['DELETE', '/v2/team/new/manifests/1'],
    ];
    for (const client of [site.edge.http1(), site.edge.http2()]) {
      for (const [method, path] of writes) {
        const reply = await client.ask(path, { method, ...(method === 'DELETE' ? {} : { body: 'x' }) });
        const what = `${fault} ${client.version} ${method} ${path.slice(0, 30)}`;
        t.match(reply, { status: 403, complete: true, headers: { 'content-type': 'application/json' } }, what);
        t.equal(codeOf(reply), 'DENIED');
        t.match(messageOf(reply.body), /since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: harbor cannot take them \(.+\)/);
        // A silent upstream would be waited for, for 9 s.
        t.ok(reply.headersAfter < timeLimit(5000), 'at once');
        t.equal(site.leak(reply), undefined, 'nothing of the upstream shows');
      }
    }
    t.equal(site.fallback.writes, 0, `${fault}: nothing was written to the fallback`);
  }
});

t.test(
  'an outage that answers, before the next probe: the start of an upload is refused within a second',
  async (t) => {
    // Silence may be slowness: `slow-push.test.ts` has how long it is waited for.
    for (const fault of OUTAGES.filter((one) => one !== 'storageHung' && one !== 'frozen')) {
      const site = await startLabSite(t, { harbor: { probe: RARE_PROBE } });
      await site.primary.faults.on(fault);
      for (const ask of [{}, { body: madeUp(100, 0), query: `?digest=${sha256(madeUp(100, 0))}` }]) {
        const { query = '', ...rest } = ask as { query?: string; body?: Buffer };
        for (const client of [site.edge.http1(), site.edge.http2()]) {
          const reply = await client.ask(UPLOADS + query, { method: 'POST', ...rest });
          t.match(reply, { status: 403, complete: true }, `${fault} ${client.version} ${query.slice(0, 8)}`);
          t.equal(codeOf(reply), 'DENIED');
          t.ok(reply.headersAfter < timeLimit(1500), `after ${Math.round(reply.headersAfter)} ms`);
        }
      }
      t.equal(site.fallback.writes, 0);
    }
  },
);

t.test('100 Continue is said when the primary is connected, and not before', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: { timeout: '600ms' } } });
  const bytes = madeUp(1000, 0);
  const post = (more = '') =>
    `POST ${UPLOADS}?digest=${sha256(bytes)} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n${more}\r\n`;
  const raw = await RawConnection.connect(t, site.edge.http1().target);
  raw.send(post());
  await raw.heard(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  raw.send(bytes);
  await raw.heard(/HTTP\/1\.1 201 Created\r\n/);

  const stream = site.edge
    .http2()
    .open(`${UPLOADS}?digest=${sha256(bytes)}`, { method: 'POST', headers: { expect: '100-continue' } }, false);
  await once(stream, 'continue');
  stream.end(bytes);
  t.match(await once(stream, 'response'), [{ ':status': 201 }], 'over HTTP/2 too');

  for (const fault of ['down', 'frozen', 'storageHung'] as const) {
    await site.primary.faults.on(fault);
    const unseen = await RawConnection.connect(t, site.edge.http1().target);
    unseen.send(post());
    await unseen.closed();
    t.match(unseen.text, /^HTTP\/1\.1 403 /, `${fault}: a final status, not seen by the probes yet or just so`);
    await site.edge.pushes('harbor', false);
    const seen = await RawConnection.connect(t, site.edge.http1().target);
    seen.send(post());
    await seen.closed();
    t.match(
      seen.text,
      /^HTTP\/1\.1 403 [\s\S]*connection: close/i,
      `${fault}: a final status, and the connection ends`,
    );
    await site.primary.faults.off();
    await site.edge.pushes('harbor', true);
  }
  const odd = await RawConnection.connect(t, site.edge.http1().target);
  odd.send(
    'POST /v2/Bad/blobs/uploads/ HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n',
  );
  await odd.closed();
  t.match(odd.text, /^HTTP\/1\.1 400 /, 'a refusal needs no body');
});

t.test('blob HEADs are answered by the primary, and by a fallback only while pushes are refused', async (t) => {
  const deadlines = { last: '4s' };
  const site = await startLabSite(t, { harbor: { probe: { timeout: '300ms', settle: '700ms' }, deadlines } });
  site.fallback.seed('cloud-project/team/new', '1', { blobs: [10] });
  const digest = sha256(madeUp(10, 0));
  const head = () => site.edge.http1().ask(`/v2/team/new/blobs/${digest}`, { method: 'HEAD' });
  const push = () => site.edge.http2().ask(UPLOADS, { method: 'POST' });
  t.equal((await head()).status, 404, 'accepting: it is not on the primary');
  await site.primary.faults.on('storageHung', { kind: 'blob', path: 'team/new' });
  t.match(await head(), { status: 503, headers: { 'retry-after': /\d/ } }, 'accepting, and it does not answer');
  await site.primary.faults.off();

  await site.primary.faults.on('frozen');
  await site.edge.pushes('harbor', false);
  const refusing = await head();
  t.match(refusing, { status: 200, headers: { 'x-breakwater-upstream': 'gcr', 'content-length': '10' } }, 'refusing');
  t.ok(refusing.headersAfter < timeLimit(500), 'without waiting for a primary that is down');
  t.equal((await push()).status, 403);

  const since = performance.now();
  await site.primary.faults.off();
  await site.edge.upstream('harbor', 'up');
  t.equal((await head()).status, 404, 'settling: the primary is asked');
  const settling = await push();
  t.match(
    { status: settling.status, message: messageOf(settling.body) },
    { status: 403, message: /few seconds more: harbor came back at/ },
  );
  await site.edge.pushes('harbor', true);
  t.ok(performance.now() - since >= 650, 'for as long as probe.settle says');
  t.equal((await push()).status, 202);
  t.equal(site.fallback.writes, 0);
});

t.test('read-only: the route, and Harbor', async (t) => {
  const route = { push: undefined };
  const site = await startLabSite(t, { route });
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    for (const [method, path] of [
      ['POST', UPLOADS],
      ['PUT', '/v2/team/new/manifests/1'],
      ['DELETE', `/v2/library/app/blobs/${site.blob()}`],
    ]) {
      const reply = await client.ask(path ?? '', {
        method: method ?? '',
        ...(method === 'DELETE' ? {} : { body: 'x' }),
      });
      t.match({ status: reply.status, message: messageOf(reply.body) }, { status: 403, message: /read-only/ });
    }
    t.equal((await client.ask(`/v2/library/app/blobs/${site.blob()}`, { method: 'HEAD' })).status, 200);
  }
  t.equal(site.primary.writes + site.fallback.writes, 0);
  const harbor = await startLabSite(t, { primary: { harbor: true }, harbor: { probe: { kind: 'harbor' } } });
  await harbor.primary.faults.on('readOnly');
  await harbor.edge.pushes('harbor', false);
  const reply = await harbor.edge.http1().ask(UPLOADS, { method: 'POST' });
  t.match({ status: reply.status, message: messageOf(reply.body) }, { status: 403, message: /it is read-only/ });
  t.equal((await harbor.edge.http1().ask('/v2/library/app/manifests/1')).headers['x-breakwater-upstream'], 'harbor');
});

t.test('whatever happens to the primary, nothing is ever written to the fallback', async (t) => {
  const site: LabSite = await startLabSite(t, {
    harbor: {
      probe: { ...PROBE, timeout: '600ms' },
      deadlines: { connect: '300ms', push: '500ms', commit: '500ms' },
    },
  });
  const clients = [site.edge.http1(), site.edge.http2()] as const;
  const step = fc.oneof(
    fc.record({
      switch: fc.constantFrom(...OUTAGES, 'readOnly' as const, 'rateLimited' as const, 'emptyChallenge401' as const),
    }),
    fc.constant({ switch: undefined }),
    fc.record({ client: fc.constantFrom(0, 1), write: fc.constantFrom('blob', 'manifest', 'delete', 'mount') }),
  );
  let number = 0;
  const write = async (version: number, kind: string): Promise<number> => {
    const client = clients[version === 0 ? 0 : 1];
    number += 1;
    if (kind === 'blob') return (await pushBlob(client, 'team/new', Buffer.from(`blob ${number}`))).status;
    const mount = `${UPLOADS}?mount=${site.blob()}&from=library/app`;
    if (kind === 'mount') return (await client.ask(mount, { method: 'POST' })).status;
    if (kind === 'delete')
      return (await client.ask(`/v2/library/app/manifests/x${number}`, { method: 'DELETE' })).status;
    return (await client.ask(`/v2/team/new/manifests/${number}`, { method: 'PUT', body: '{}' })).status;
  };
  const property = fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
    await site.primary.faults.off();
    for (const one of steps) {
      if ('write' in one) {
        const status = await write(one.client, one.write);
        if (status === 0) throw new Error('no answer');
      } else if (one.switch) await site.primary.faults.on(one.switch);
      else await site.primary.faults.off();
    }
    return site.fallback.writes === 0;
  });
  t.equal(await write(0, 'blob'), 201, 'while all is well the primary takes it');
  await fc.assert(property, { numRuns: propertyRuns(15) });
  t.equal(site.fallback.writes, 0);
  t.ok(clientRequests(site.fallback).every(({ method }) => method === 'GET' || method === 'HEAD'));
});
