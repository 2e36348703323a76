import t from 'tap';
import { basic, bearer, KEY, probe } from '../../helpers/forward-site.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { CLOUD, clientRequests, codeOf, INNER, type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { VirtualAddress } from '../../helpers/virtual-address.ts';

const USERS = [
  { username: 'ann', password: 'Tr0ub4dor&3' },
  { username: 'robot$probe', password: 'pr0be-secret' },
];
const NEW = '/v2/library/new/manifests/1';

/** `library/new` is on the primary only; its token service is on another host, and can be gone while the registry is well. */
async function start(
  owner: Owner,
  route: Record<string, unknown> = {},
): Promise<{ site: LabSite; client: Client; service: VirtualAddress }> {
  const service = await new VirtualAddress(owner, '127.0.0.1:9', '127.0.0.1').listen();
  const realm = `http://localhost:${service.address.split(':')[1]}/token`;
  const site = await startLabSite(owner, {
    primary: { auth: { scheme: 'bearer', users: USERS, realm } },
    harbor: {
      credentials: 'forward',
      probe: { ...probe, credentials: { ...probe.credentials, realmHosts: ['localhost'] } },
    },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
    config: { auth: { mode: 'delegate', realmHosts: ['localhost'] } },
    route,
  });
  service.move(`127.0.0.1:${site.primary.port}`);
  site.primary.seed(`${INNER}library/new`, '1', { blobs: [100] });
  await site.edge.upstream('harbor', 'up');
  return { site, client: site.edge.http1(), service };
}

function login(client: Client, actions = 'pull', repository = 'library/new'): Promise<Reply> {
  const query = new URLSearchParams({ service: 'edge.test', scope: `repository:${repository}:${actions}` });
  return client.ask(`/auth/token?${query}`, { headers: { authorization: basic('ann', 'Tr0ub4dor&3') } });
}

const OUTAGES: Record<string, (parts: { site: LabSite; service: VirtualAddress }) => Promise<unknown>> = {
  'the primary is down': async ({ site }) => {
    await site.primary.faults.on('down');
    await site.edge.upstream('harbor', 'down');
  },
  'only its token service is gone': async ({ service }) => service.move('127.0.0.1:9'),
};

for (const [name, begin] of Object.entries(OUTAGES)) {
  t.test(`what is on the primary only, while ${name}`, async (t) => {
    const { site, client, service } = await start(t);
    const before = await login(client);
    t.equal((await client.ask(NEW, { headers: { authorization: bearer(before) } })).status, 200);
    await begin({ site, service });
    const pulling = { authorization: bearer(await login(client)) };
    const reply = await client.ask(NEW, { headers: pulling });
    t.match(
      { status: reply.status, code: codeOf(reply) },
      { status: 503, code: 'UNAVAILABLE' },
      'it is not called absent',
    );
    t.match(reply.headers['retry-after'], /^\d+$/);
    t.equal((await client.ask(NEW, { method: 'HEAD', headers: pulling })).status, 503);

    const headers = { authorization: bearer(await login(client, 'pull,push')) };
    const blob = `/v2/library/new/blobs/sha256:${'0'.repeat(64)}`;
    t.equal(
      (await client.ask(blob, { method: 'HEAD', headers })).status,
      404,
      'a client that is about to push gets 404',
    );
    t.equal((await client.ask(NEW, { method: 'HEAD', headers })).status, 404);
    const post = await client.ask('/v2/library/new/blobs/uploads/', { method: 'POST', headers });
    t.match(
      { status: post.status, code: codeOf(post) },
      { status: 403, code: 'DENIED' },
      'to be refused with the reason',
    );
    t.match(post.body.toString(), /pushes are refused/);
  });
}

t.test('once it can be asked again, a token of the outage is sent for another one', async (t) => {
  const { client, service, site } = await start(t);
  await login(client);
  service.move('127.0.0.1:9');
  const headers = { authorization: bearer(await login(client)) };
  service.move(`127.0.0.1:${site.primary.port}`);
  const again = await login(client);
  const reply = await client.ask(NEW, { headers });
  t.equal(reply.status, 401);
  t.match(reply.headers['www-authenticate'], /error="invalid_token"/);
  t.equal((await client.ask(NEW, { headers: { authorization: bearer(again) } })).status, 200);
});

t.test('a client with a push token is told that pushes are refused', async (t) => {
  const { site, client } = await start(t);
  const headers = { authorization: bearer(await login(client, 'pull,push')) };
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  t.equal((await client.ask(NEW, { headers })).status, 503);
  t.equal((await client.ask(NEW, { method: 'HEAD', headers })).status, 404);
  const post = await client.ask('/v2/library/new/blobs/uploads/', { method: 'POST', headers });
  t.match({ status: post.status, code: codeOf(post) }, { status: 403, code: 'DENIED' });
});

t.test('the fallback does not show what the primary hides, even to a client that says it pushes', async (t) => {
  for (const onAbsent of ['stop', 'next'])
    await t.test(onAbsent, async (t) => {
      const { site, client } = await start(t, { onAbsent });
      site.fallback.seed(`${CLOUD}library/hidden`, '1', { blobs: [100] });
      const hidden = '/v2/library/hidden/manifests/1';
      const headers = { authorization: bearer(await login(client, 'pull,push', 'library/hidden')) };
      for (const method of ['GET', 'HEAD']) t.equal((await client.ask(hidden, { method, headers })).status, 404);
      t.equal((await client.ask('/v2/library/hidden/tags/list', { headers })).status, 404);
      await site.primary.faults.on('down');
      await site.edge.upstream('harbor', 'down');
      t.equal((await client.ask(hidden, { headers })).status, 503);
      t.equal((await client.ask('/v2/library/hidden/tags/list', { headers })).status, 503);
      t.equal((await client.ask(hidden, { method: 'HEAD', headers })).status, 404, 'a HEAD gets 404');
      t.same(
        clientRequests(site.fallback).filter(({ url }) => url.includes('hidden')),
        [],
      );
    });
});

t.test('a healthy primary that hides an image overrules an earlier grant', async (t) => {
  const { site, client } = await start(t, { onAbsent: 'next' });
  const hidden = site.fallback.seed(`${CLOUD}library/new`, '1', { blobs: [120] });
  const blob = `/v2/library/new/blobs/${hidden.blobDigests[0]}`;
  t.equal((await client.ask(NEW, { headers: { authorization: bearer(await login(client)) } })).status, 200);
  const there = `${INNER}library/new`;
  for (const digest of site.primary.store.repository(there).manifests.keys())
    site.primary.store.removeManifest(there, digest);
  const headers = { authorization: bearer(await login(client)) };
  for (const path of [NEW, blob, '/v2/library/new/tags/list'])
    t.equal((await client.ask(path, { headers })).status, 404);
  await site.primary.faults.on('errors', { path: /library\/new/ });
  for (const path of [NEW, blob, '/v2/library/new/tags/list'])
    t.equal((await client.ask(path, { headers })).status, 503, 'it is well, and fails for this client');
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  for (const path of [NEW, blob])
    t.equal((await client.ask(path, { headers })).status, 200, 'it may have meant its storage');
});
