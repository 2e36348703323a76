import { once } from 'node:events';
import t from 'tap';
import { PROBE } from '../helpers/edge-in-process.ts';
import type { Client, Reply } from '../helpers/http1-client.ts';
import { received2 } from '../helpers/http2-client.ts';
import { CLOUD, INNER, type LabSite, pushBlob, startLabSite } from '../helpers/lab-site.ts';
import { RawConnection } from '../helpers/raw-connection.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

const MANIFEST = '/v2/library/app/manifests/1';

/** The site's configuration with something else in `harbor`, so that it is another upstream. */
function changed(
  site: LabSite,
  more: Record<string, unknown> = {},
  harbor: Record<string, unknown> = {},
): Record<string, unknown> {
  const upstreams = site.config.upstreams as Record<string, Record<string, unknown>>;
  return { ...site.config, upstreams: { ...upstreams, harbor: { ...upstreams.harbor, ...harbor } }, ...more };
}

/** A client that asks again and again; `failed` holds every reply that is not a good one. */
function load(owner: Owner, client: Client, ask: (client: Client) => Promise<Reply>) {
  const failed: string[] = [];
  let asked = 0;
  let stopped = false;
  owner.teardown(() => {
    stopped = true;
  });
  const done = (async () => {
    while (!stopped) {
      asked += 1;
      await ask(client).then(
        ({ status, complete, body }) => {
          if (!complete || status >= 300) failed.push(`${status} ${body.toString('latin1', 0, 300)}`);
        },
        (error) => failed.push(String(error)),
      );
    }
  })();
  return {
    failed,
    asked: () => asked,
    stop: async () => {
      stopped = true;
      await done;
    },
  };
}

t.test('reloads under load fail no request and drop no connection', async (t) => {
  // Clients, edge and registries share one process here: an answer that is late is no sign of anything.
  const deadlines = { manifest: '60s', blob: '60s', push: '60s' };
  const site = await startLabSite(t, { harbor: { probe: { timeout: '60s' }, deadlines } });
  const { edge } = site;
  site.fallback.seed('elsewhere/library/app', '1', { blobs: [1] });
  const blob = `/v2/library/app/blobs/${site.blob()}`;
  const clients = [edge.http1(), edge.http2()];
  let number = 0;
  const push = (client: Client) => {
    number += 1;
    return pushBlob(client, 'team/new', Buffer.from(`blob ${number}`));
  };
  const loads = clients.flatMap((client) => [
    load(t, client, (one) => one.ask(MANIFEST)),
    load(t, client, (one) => one.ask(blob)),
    load(t, client, push),
  ]);
  const session = clients[1] && edge.http2().session;
  for (let round = 0; round < 8; round += 1) {
    const before = loads.map(({ asked }) => asked());
    // By turns: the same again, another upstream behind the name, other limits and routes.
    const harbor = round % 2 === 0 ? {} : { deadlines: { ...deadlines, manifest: `${60 + round}s` } };
    const routes = [
      ...(site.config.routes as object[]),
      { prefix: `round-${round}/`, pull: [{ upstream: 'gcr', prefix: 'elsewhere/' }] },
    ];
    await edge.reload(changed(site, { routes, limits: { connections: 1000 + round } }, harbor));
    t.equal(
      (await edge.http1().ask(`/v2/round-${round}/library/app/manifests/1`)).status,
      200,
      'the new routes are in force',
    );
    await Promise.all(
      loads.map(async ({ asked }, index) => {
        await until(() => asked() >= (before[index] ?? 0) + 3);
      }),
    );
  }
  await Promise.all(loads.map(({ stop }) => stop()));
  for (const { failed, asked } of loads) t.strictSame(failed, [], `none of ${asked()} failed`);
  t.equal(session?.destroyed, false);
  t.equal(site.fallback.writes, 0);
});

t.test('what is under way goes on with the upstream that it has, over several reloads', async (t) => {
  const site = await startLabSite(t, { canary: false });
  const { edge, primary } = site;
  await primary.faults.on('stall', { path: 'library/app', bytes: 150_000 });
  const path = `/v2/library/app/blobs/${site.blob()}`;
  const stream = edge.http2().open(path);
  const reply = received2(stream);
  await once(stream, 'data');
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.send(`GET ${path} HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n`);
  await raw.heard(/200 OK/);
  // Kept by the second configuration, gone from the third: who began with the first still has it.
  await edge.reload(changed(site, { limits: { connections: 999 } }));
  await edge.reload({
    ...site.config,
    upstreams: { gcr: (site.config.upstreams as Record<string, unknown>).gcr },
    routes: [{ prefix: '', pull: [{ upstream: 'gcr', prefix: CLOUD }] }],
  });
  t.match(await edge.http1().ask(MANIFEST), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  // Everything that can be retired by now is.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await primary.faults.off();
  t.match(await reply, { status: 200, complete: true }, 'HTTP/2');
  await raw.closed();
  t.equal(raw.received.length - raw.text.indexOf('\r\n\r\n') - 4, 300_000, 'HTTP/1.1');
});

t.test('health and breakers of an upstream that did not change go on', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: { ...PROBE, holdDown: '1h' } } });
  const { edge } = site;
  // A late answer would show that a silent upstream was only slow.
  await site.primary.faults.on('down');
  await edge.upstream('harbor', 'down');
  const since = edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.since;
  await site.primary.faults.off();
  await edge.reload(changed(site, { limits: { connections: 99 } }));
  t.match(
    edge.app.status().upstreams.find(({ name }) => name === 'harbor'),
    { state: 'down', since },
    'still held down',
  );
  t.equal((await edge.http1().ask('/v2/team/new/blobs/uploads/', { method: 'POST' })).status, 403);
  await edge.reload(changed(site, {}, { deadlines: { stall: '6s' } }));
  t.equal(edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.state, 'up', 'another one starts anew');
  t.equal((await edge.http1().ask('/v2/team/new/blobs/uploads/', { method: 'POST' })).status, 202);
});

t.test('sessions outlive a reload, also without a keyFile', async (t) => {
  const site = await startLabSite(t);
  const client = site.edge.http1();
  const begun = await client.ask('/v2/team/new/blobs/uploads/', { method: 'POST' });
  await site.edge.reload(changed(site, {}, { deadlines: { stall: '6s' } }));
  const patched = await client.ask(String(begun.headers.location), { method: 'PATCH', body: 'some' });
  t.equal(patched.status, 202);
  t.ok(
    [...site.primary.store.sessions.values()].some(
      ({ repository, length }) => repository === `${INNER}team/new` && length === 4,
    ),
  );
});
