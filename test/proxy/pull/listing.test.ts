import fc from 'fast-check';
import t from 'tap';
import { type LabRegistry, startLabRegistry } from '../../../src/lab/registry.ts';
import { type EdgeInProcess, RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { codeOf, INNER, startLabSite } from '../../helpers/lab-site.ts';
import { propertyRuns } from '../../helpers/property-runs.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

// A repository by route: what clients call it, and where it is.
const NAMES = ['app', 'a-b', 'a_b', 'a.b', 'a/b', 'zz', 'app-2', 'app/sub', 'b', '0'];

interface World {
  registries: LabRegistry[];
  edge: EdgeInProcess;
}

async function startWorld(owner: Owner): Promise<World> {
  const registries = await Promise.all([7, 2, 3].map((pageSize) => startLabRegistry({ pageSize })));
  owner.teardown(() => Promise.all(registries.map((registry) => registry.close())));
  const [harbor, gcr, third] = registries.map(({ url }) => ({ urls: [url], probe: RARE_PROBE }));
  const edge = await startEdgeInProcess(owner, {
    upstreams: { harbor, gcr, third },
    routes: [
      { prefix: '', pull: [{ upstream: 'harbor', prefix: 'zone/' }] },
      {
        prefix: 'library/',
        pull: [
          { upstream: 'harbor', prefix: 'lib/' },
          { upstream: 'gcr', prefix: 'proj/' },
        ],
      },
      { prefix: 'library/deep/', pull: [{ upstream: 'third', prefix: '' }] },
      { prefix: 'cloud/', pull: [{ upstream: 'gcr', prefix: 'other/' }] },
    ],
  });
  return { registries, edge };
}

/** Prefixes of clients, with the registry's number and its prefix. */
const PLACES: [client: string, registry: number, upstream: string][] = [
  ['', 0, 'zone/'],
  ['library/', 0, 'lib/'],
  ['library/deep/', 2, ''],
  ['cloud/', 1, 'other/'],
];

async function page(
  client: Client,
  first: string,
  headers: Record<string, string> = {},
): Promise<{ names: string[]; replies: Reply[] }> {
  const names: string[] = [];
  const replies: Reply[] = [];
  let path: string | undefined = first;
  while (path) {
    const reply: Reply = await client.ask(path, { headers });
    replies.push(reply);
    if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.body}`);
    const list: { repositories?: string[]; tags?: string[] } = JSON.parse(reply.body.toString());
    names.push(...(list.repositories ?? list.tags ?? []));
    if (replies.length > 500) throw new Error('it never ends');
    path = /^<(\/v2\/[^>]+)>; rel="next"$/.exec(String(reply.headers.link ?? ''))?.[1];
  }
  return { names, replies };
}

t.test('the catalog holds every name of every route once, whatever the page size', async (t) => {
  const world = await startWorld(t);
  const client = world.edge.http2();
  const place = fc.record({ place: fc.nat(PLACES.length - 1), name: fc.constantFrom(...NAMES) });
  const property = fc.asyncProperty(
    fc.array(place, { maxLength: 25 }),
    fc.integer({ min: 1, max: 30 }),
    async (seeds, n) => {
      const expected = new Set<string>();
      for (const registry of world.registries) {
        registry.store.repositories.clear();
        registry.seed('hidden/app', '1', { blobs: [1] });
      }
      for (const { place, name } of seeds) {
        const [prefix, number, upstream] = PLACES[place] ?? ['', 0, ''];
        world.registries[number]?.seed(upstream + name, '1', { blobs: [1] });
        // A name that a longer prefix takes over is that route's.
        const shadowed = PLACES.some(([other]) => other.length > prefix.length && (prefix + name).startsWith(other));
        if (!shadowed) expected.add(prefix + name);
      }
      expected.add('library/deep/hidden/app');
      // Credentials keep one run's catalog from the next one's: what was gathered is kept for a while.
      const authorization = `Basic ${Math.random()}`;
      const { names } = await page(client, `/v2/_catalog?n=${n}`, { authorization });
      t.strictSame(names, [...expected].sort(), `pages of ${n}`);
    },
  );
  await fc.assert(property, { numRuns: propertyRuns(25) });
});

t.test('nothing of the upstreams shows in lists', async (t) => {
  const site = await startLabSite(t, { primary: { pageSize: 3, locations: 'absolute' } });
  const { primary, fallback, edge } = site;
  const tags = Array.from({ length: 10 }, (_, index) => `v${index}`);
  for (const tag of tags) primary.seed(`${INNER}library/app`, tag, { blobs: [1] });
  fallback.seed('cloud-project/library/only-there', '1', { blobs: [1] });
  for (const client of [edge.http1(), edge.http2()]) {
    for (const n of ['', '?n=1', '?n=2', '?n=3', '?n=4', '?n=100', '?n=2&last=v3']) {
      const { names, replies } = await page(client, `/v2/library/app/tags/list${n}`);
      const all = ['1', ...tags];
      t.strictSame(names, n.includes('last') ? all.filter((tag) => tag > 'v3') : all, `tags ${n}`);
      for (const reply of replies) {
        t.equal(site.leak(reply), undefined);
        t.match(JSON.parse(reply.body.toString()), { name: 'library/app' });
        t.match(reply.headers['content-type'], /json/);
      }
    }
    const catalog = await page(client, '/v2/_catalog?n=1');
    t.strictSame(catalog.names, ['library/app'], 'only what the route shows');
    for (const reply of catalog.replies) t.equal(site.leak(reply), undefined);
    const head = await client.ask('/v2/library/app/tags/list', { method: 'HEAD' });
    t.match(head, { status: 200, complete: true });
    t.equal(site.leak(head), undefined);
  }
});

t.test('lists come from the fallback when the primary is gone, and say so', async (t) => {
  // The primary is alive by its canary, so it is waited for where it is the last one that may have the list.
  const site = await startLabSite(t, { harbor: { deadlines: { last: '4s' } } });
  await site.primary.faults.on('storageHung', { kind: ['tags', 'catalog'] });
  const client = site.edge.http1();
  const [tags, catalog] = await Promise.all([client.ask('/v2/library/app/tags/list'), client.ask('/v2/_catalog')]);
  t.strictSame(JSON.parse(tags.body.toString()), { name: 'library/app', tags: ['1'] });
  t.strictSame(JSON.parse(catalog.body.toString()), { repositories: ['library/app'] });
  for (const reply of [tags, catalog]) {
    t.match(reply, { headers: { 'x-breakwater-upstream': 'gcr', warning: /^299 - "/ } });
    t.equal(site.leak(reply), undefined);
  }
  await site.fallback.faults.on('errors');
  const none = await client.ask('/v2/library/app/tags/list');
  t.match(none, { status: 503, headers: { 'retry-after': /^\d+$/ } });
  t.equal(codeOf(none), 'UNAVAILABLE');
});
