import t from 'tap';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { clientRequests, codeOf, sha256 } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

// Three registries behind one edge: its own names, docker.io, and quay.test, each with a repository of the same name.
async function startHosts(owner: Owner, more: object = {}) {
  const [own, hub, quay] = await Promise.all([
    startLabRegistry({ pageSize: 2 }),
    startLabRegistry({ pageSize: 2 }),
    startLabRegistry(),
  ]);
  owner.teardown(() => Promise.all([own.close(), hub.close(), quay.close()]));
  own.seed('own/library/app', '1', { blobs: [11] });
  for (const tag of ['1', '2', '3', '4', '5']) hub.seed('hub/library/app', tag, { blobs: [22] });
  hub.seed('hub/only/hub', '1', { blobs: [1] });
  hub.seed('hub/only/more', '1', { blobs: [1] });
  hub.seed('hub/only/most', '1', { blobs: [1] });
  quay.seed('quay/library/app', '1', { blobs: [33] });
  own.seed('own/only/own', '1', { blobs: [1] });
  const upstream = (url: string) => ({ urls: [url], probe: RARE_PROBE });
  const edge = await startEdgeInProcess(owner, {
    aliases: ['edge.example.com', '::1', '127.0.0.1'],
    upstreams: { own: upstream(own.url), hub: upstream(hub.url), quay: upstream(quay.url) },
    routes: [
      { prefix: '', push: 'own', pull: [{ upstream: 'own', prefix: 'own/' }] },
      { prefix: '', registry: 'docker.io', push: 'hub', pull: [{ upstream: 'hub', prefix: 'hub/' }] },
      { prefix: 'library/', registry: 'quay.test', pull: [{ upstream: 'quay', prefix: 'quay/library/' }] },
    ],
    ...more,
  });
  return { own, hub, quay, edge };
}

const upstreamOf = ({ headers }: Reply) => headers['x-breakwater-upstream'];

t.test('a request belongs to one registry: that of Host, or that of ns=', async (t) => {
  const { own, hub, quay, edge } = await startHosts(t);
  const rows: [host: string, ns: string, upstream: string | undefined, status: number][] = [
    ['edge.test', '', 'own', 200],
    ['EDGE.test', '', 'own', 200],
    [`edge.test:${edge.port}`, '', 'own', 200],
    ['edge.example.com', '', 'own', 200],
    ['127.0.0.1:443', '', 'own', 200],
    ['[::1]:443', '', 'own', 200],
    ['docker.io', '', 'hub', 200],
    ['Docker.IO:443', '', 'hub', 200],
    ['quay.test', '', 'quay', 200],
    ['edge.test', '?ns=docker.io', 'hub', 200],
    ['edge.test', '?ns=DOCKER.io', 'hub', 200],
    ['edge.test', '?ns=quay.test:443', 'quay', 200],
    ['edge.test', '?ns=edge.test', 'own', 200],
    ['docker.io', '?ns=quay.test', 'quay', 200],
    ['edge.test', '?ns=ghcr.io', undefined, 404],
    ['edge.test', '?ns=', undefined, 404],
    ['edge.test', '?ns=doc%E2%84%AAer.io', undefined, 404],
    ['edge.test', '?ns=docker.io.evil.test', undefined, 404],
    ['other.test', '', undefined, 421],
    ['sub.edge.test', '', undefined, 421],
    ['edge.test.', '', undefined, 421],
    ['other.test', '?ns=docker.io', undefined, 421],
  ];
  for (const client of [edge.http1(), edge.http2()]) {
    for (const [host, ns, upstream, status] of rows) {
      for (const registry of [own, hub, quay]) registry.forget();
      const reply = await client.ask(`/v2/library/app/manifests/1${ns}`, { headers: { host } });
      t.equal(reply.status, status, `${client.version} ${host} ${ns}`);
      t.equal(upstreamOf(reply), upstream, 'the upstream that answers');
      const named = status === 200 && ns !== '' ? ns.slice('?ns='.length) : undefined;
      t.equal(reply.headers['oci-namespace'], named, 'the namespace of the reply');
      if (status !== 200) t.equal(codeOf(reply), 'NAME_UNKNOWN');
      const asked = { own, hub, quay };
      for (const [name, registry] of Object.entries(asked)) {
        t.equal(clientRequests(registry).length, name === upstream ? 1 : 0, `${name} asked`);
        t.ok(
          clientRequests(registry).every(({ url }) => !url.includes('ns=')),
          'ns= goes no further',
        );
      }
    }
  }
});

t.test('hosts.nsFallback: an unknown ns= is answered by the routes of the hostname', async (t) => {
  const { edge } = await startHosts(t, { hosts: { nsFallback: true } });
  const rows: [host: string, ns: string, upstream: string | undefined, status: number][] = [
    ['edge.test', '?ns=ghcr.io', 'own', 200],
    ['edge.test', '?ns=registry.k8s.io:443', 'own', 200],
    ['edge.test', '?ns=', 'own', 200],
    ['edge.test', '?ns=doc%E2%84%AAer.io', 'own', 200],
    ['docker.io', '?ns=ghcr.io', 'hub', 200],
    ['quay.test', '?ns=ghcr.io', 'quay', 200],
    ['edge.test', '?ns=docker.io', 'hub', 200],
    ['edge.test', '?ns=edge.test', 'own', 200],
    ['other.test', '?ns=ghcr.io', undefined, 421],
  ];
  for (const client of [edge.http1(), edge.http2()]) {
    for (const [host, ns, upstream, status] of rows) {
      const reply = await client.ask(`/v2/library/app/manifests/1${ns}`, { headers: { host } });
      t.equal(reply.status, status, `${client.version} ${host} ${ns}`);
      t.equal(upstreamOf(reply), upstream, 'the upstream that answers');
      // The header says that the registry which ns= names was meant (distribution-spec "Registry Proxying").
      const known = /docker.io|edge.test/.test(ns) ? ns.slice('?ns='.length) : undefined;
      t.equal(reply.headers['oci-namespace'], known, 'the namespace of the reply');
    }
    t.equal((await client.ask('/v2/only/hub/manifests/1?ns=ghcr.io')).status, 404, 'no route of another registry');
    const begun = await client.ask('/v2/team/new/blobs/uploads/?ns=ghcr.io', { method: 'POST' });
    t.equal(begun.status, 202);
    t.match(begun.headers.location, /[?&]ns=ghcr.io/);
    const put = `${begun.headers.location}&digest=${sha256('x')}`;
    t.equal((await client.ask(put, { method: 'PUT', body: 'x' })).status, 201, 'a push');
  }
});

t.test('nothing falls through from one registry’s names to another’s', async (t) => {
  const { own, hub, edge } = await startHosts(t);
  for (const client of [edge.http1(), edge.http2()]) {
    const get = (path: string) => client.ask(path);
    t.equal((await get('/v2/only/hub/manifests/1')).status, 404, 'docker.io’s name is not the edge’s');
    t.equal((await get('/v2/only/own/manifests/1?ns=docker.io')).status, 404, 'nor the other way about');
    t.equal((await get('/v2/only/hub/manifests/1?ns=quay.test')).status, 404, 'a name that no route of quay.test has');
    hub.forget();
    own.forget();
    const mount = `/v2/team/new/blobs/uploads/?mount=${sha256('x')}&from=only/hub`;
    t.equal((await client.ask(mount, { method: 'POST' })).status, 202);
    t.match(own.requests.at(-1)?.url, /from=own%2Fonly%2Fhub/, 'a mount is within the same registry');
    t.equal((await client.ask(`${mount}&ns=docker.io`, { method: 'POST' })).status, 202);
    t.match(hub.requests.at(-1)?.url, /^\/v2\/hub\/team\/new\/blobs\/uploads\/.*from=hub%2Fonly%2Fhub/);
    t.equal(
      (await client.ask('/v2/library/new/blobs/uploads/?ns=quay.test', { method: 'POST' })).status,
      403,
      'read-only',
    );
  }
});

t.test('lists of each registry, page by page', async (t) => {
  const { edge } = await startHosts(t);
  const expected: [query: string, host: string, names: string[]][] = [
    ['', 'edge.test', ['library/app', 'only/own']],
    ['', 'docker.io', ['library/app', 'only/hub', 'only/more', 'only/most']],
    ['&ns=docker.io', 'edge.test', ['library/app', 'only/hub', 'only/more', 'only/most']],
    ['&ns=quay.test', 'edge.test', ['library/app']],
  ];
  for (const client of [edge.http1(), edge.http2()]) {
    for (const [query, host, names] of expected) {
      t.strictSame(await paged(client, `/v2/_catalog?n=1${query}`, host), names, `catalog of ${host} ${query}`);
    }
    const tags = ['1', '2', '3', '4', '5'];
    t.strictSame(await paged(client, '/v2/library/app/tags/list?n=2&ns=docker.io', 'edge.test'), tags, 'tags by ns=');
    t.strictSame(await paged(client, '/v2/library/app/tags/list', 'docker.io'), tags, 'tags by Host');
  }
});

async function paged(client: Client, first: string, host: string): Promise<string[]> {
  const found: string[] = [];
  let path: string | undefined = first;
  while (path) {
    const reply: Reply = await client.ask(path, { headers: { host } });
    const list: { repositories?: string[]; tags?: string[] } = JSON.parse(reply.body.toString());
    found.push(...(list.repositories ?? list.tags ?? []));
    path = /^<([^>]+)>; rel="next"$/.exec(String(reply.headers.link ?? ''))?.[1];
  }
  return found;
}

t.test('the longest prefix wins, and only whole ones', async (t) => {
  const registries = await Promise.all([startLabRegistry(), startLabRegistry()]);
  t.teardown(() => Promise.all(registries.map((registry) => registry.close())));
  const [a, b] = registries.map(({ url }) => ({ urls: [url], probe: RARE_PROBE }));
  registries[0]?.seed('library/app', '1', { blobs: [1] });
  registries[1]?.seed('deep/app', '1', { blobs: [2] });
  const edge = await startEdgeInProcess(t, {
    upstreams: { a, b },
    routes: [
      { prefix: 'library/', pull: [{ upstream: 'a' }] },
      { prefix: 'library/deep/', pull: [{ upstream: 'b', prefix: 'deep/' }] },
    ],
  });
  const client = edge.http1();
  t.equal(upstreamOf(await client.ask('/v2/library/app/manifests/1')), 'a');
  t.equal(upstreamOf(await client.ask('/v2/library/deep/app/manifests/1')), 'b');
  for (const path of ['/v2/library/deep/manifests/1', '/v2/library/app/deep/manifests/1']) {
    t.equal((await client.ask(path)).status, 404, path);
  }
  for (const path of ['/v2/library/manifests/1', '/v2/libraryx/app/manifests/1', '/v2/app/manifests/1']) {
    const reply = await client.ask(path);
    t.match({ status: reply.status, code: codeOf(reply) }, { status: 404, code: 'NAME_UNKNOWN' }, path);
    t.equal((await client.ask(`${path.replace('manifests/1', 'blobs/uploads/')}`, { method: 'POST' })).status, 404);
  }
});

t.test('paths of the edge’s own answer only to its names', async (t) => {
  const { edge } = await startHosts(t);
  for (const client of [edge.http1(), edge.http2()]) {
    for (const path of ['/auth/token/x', '/_breakwater/download/x', '/', '/v2/']) {
      t.equal((await client.ask(path, { headers: { host: 'other.test' } })).status, 421, path);
    }
  }
});
