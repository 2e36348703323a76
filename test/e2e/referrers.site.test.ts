import t, { type Test } from 'tap';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { attachingClients } from '../helpers/attaching-clients.ts';
import { startEdge } from '../helpers/edge.ts';
import { writeImage } from '../helpers/image.ts';
import { startRegistry } from '../helpers/registry.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

// What real clients attach to an image before, in and after an outage is listed, whichever side has the referrers API.

interface Registry {
  url: string;
  has: boolean;
  down(): Promise<unknown>;
  up(): Promise<unknown>;
}

/** A registry of the lab has the API, docker-registry 2.8 does not. */
async function start(t: Test, has: boolean): Promise<Registry> {
  if (!has) {
    const registry = await startRegistry(t);
    return { url: registry.url, has, down: () => registry.kill(), up: () => registry.start() };
  }
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  return { url: registry.url, has, down: () => registry.faults.on('down'), up: () => registry.faults.off('down') };
}

async function startSite(t: Test, primary: Registry, fallback: Registry) {
  const [image, canary, skopeo] = [
    await writeImage(temporaryFolder(t)),
    await writeImage(temporaryFolder(t), { layers: [100] }),
    new Skopeo(t),
  ];
  await skopeo.push(canary.folder, `${new URL(primary.url).host}/library/canary:latest`);
  await skopeo.push(image.folder, `${new URL(primary.url).host}/library/app:1`);
  const times = { interval: '300ms', fastInterval: '100ms', timeout: '2s', holdDown: '0s', settle: '100ms' };
  const edge = await startEdge(t, {
    upstreams: {
      harbor: { urls: [primary.url], probe: { canary: 'library/canary:latest', ...times } },
      gcr: { urls: [fallback.url], probe: { ...times, allowEmpty: true } },
    },
    routes: [
      {
        prefix: 'library/',
        push: 'harbor',
        pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'project/', replicate: true }],
      },
    ],
    replication: { every: '1s' },
  });
  await edge.waitFor(({ upstreams }) => upstreams[0]?.referrers === (primary.has ? 'has' : 'lacks'));
  const to = { repository: `${edge.address}/library/app`, tag: '1' };
  const clients = attachingClients(t, edge.certificate.authorityFolder);
  const state = async (wanted: 'up' | 'down') => {
    await primary[wanted]();
    await edge.waitFor(({ upstreams: [harbor] }) => harbor?.pushes?.admitted === (wanted === 'up'));
  };
  /** What each of the clients lists. */
  const lists = async () => {
    const found: Record<string, string[]> = {};
    for (const { name, list } of clients) if (list) found[name] = await list(to);
    return found;
  };
  const digest = image.digest;
  return { clients, to, state, lists, digest };
}

/** Waits until the fallback has as many entries, in its list or in its index. */
async function copied({ url, has }: Registry, digest: string, entries: number, primary: Registry): Promise<void> {
  const read = async (path: string) => {
    const reply = await fetch(`${url}/v2/project/app/${path}`, {
      headers: { accept: '*/*, application/vnd.oci.image.index.v1+json' },
    });
    return reply.ok ? ((await reply.json()) as { manifests: unknown[] }).manifests.length : 0;
  };
  // Clients keep an index where the primary has no API, and Breakwater where the fallback has none.
  const paths = [
    ...(has ? [`referrers/${digest}`] : []),
    ...(has && primary.has ? [] : [`manifests/${digest.replace(':', '-')}`]),
  ];
  await until(async () => (await Promise.all(paths.map(read))).every((count) => count === entries), {
    timeout: 30_000,
    what: () => `${entries} entries on the fallback`,
  });
}

const TOOLS = ['docker-registry', 'skopeo', 'oras', 'regctl', 'crane'];

for (const primaryHas of [false, true])
  for (const fallbackHas of [false, true]) {
    const says = (has: boolean) => (has ? 'with' : 'without');
    const name = `a primary ${says(primaryHas)} the API, a fallback ${says(fallbackHas)}`;
    t.test(name, { skip: missing(...TOOLS) }, async (t) => {
      const [primary, fallback] = [await start(t, primaryHas), await start(t, fallbackHas)];
      const { clients, to, state, lists, digest } = await startSite(t, primary, fallback);
      const types: string[] = [];
      for (const round of [1, 2]) {
        for (const client of clients) {
          const type = `test/${client.name}-${round}`;
          const { status, output } = await client.tryAttach(to, type);
          t.equal(status, 0, `${client.name} attaches`);
          if (status !== 0) t.comment(output);
          types.push(type);
        }
        types.sort();
        const expected = { oras: types, regctl: types };
        t.strictSame(await lists(), expected, round === 1 ? 'before the outage' : 'after it');
        if (round === 2) break;
        await copied(fallback, digest, types.length, primary);
        await state('down');
        t.strictSame(await lists(), expected, 'in the outage');
        for (const client of clients) {
          const { status } = await client.tryAttach(to, `test/refused-${client.name}`);
          t.not(status, 0, `${client.name} is refused`);
        }
        await state('up');
      }
    });
  }
