import t from 'tap';
import { startLabRegistry } from '../../src/lab/registry.ts';
import type { Client } from '../helpers/http1-client.ts';
import {
  CLOUD,
  INNER,
  type LabSite,
  MANIFEST_TYPE,
  manifestOf,
  pushBlob,
  sha256,
  startLabSite,
} from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

function start(owner: Owner, config: Record<string, unknown> = {}): Promise<LabSite> {
  return startLabSite(owner, {
    route: {
      pull: [
        { upstream: 'harbor', prefix: INNER },
        { upstream: 'gcr', prefix: CLOUD, replicate: true },
      ],
    },
    config,
  });
}

/** Pushes an image of one blob through the edge. @returns its digest */
async function push(client: Client, repository: string, tag: string, content: string): Promise<string> {
  const [blob, config] = [Buffer.from(content), Buffer.from('{}')];
  for (const one of [blob, config]) await pushBlob(client, repository, one);
  const manifest = manifestOf(config, blob);
  const headers = { 'content-type': MANIFEST_TYPE };
  const put = await client.ask(`/v2/${repository}/manifests/${tag}`, { method: 'PUT', body: manifest, headers });
  if (put.status !== 201) throw new Error(`the push got ${put.status}`);
  return sha256(manifest);
}

t.test('what is pushed through the edge is on the fallback a moment later', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  const there = (tag: string) => site.fallback.store.repository(`${CLOUD}team/app`).tags.get(tag);
  const digest = await push(client, 'team/app', 'v1', 'one');
  const began = performance.now();
  await until(() => there('v1') === digest, { every: 5 });
  t.ok(performance.now() - began < timeLimit(2000));
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  t.match(await client.ask('/v2/team/app/manifests/v1'), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
});

t.test('what was there before is compared at the start, and hints that are lost are made good', async (t) => {
  const site = await start(t, { replication: { every: '1s' } });
  const tags = () => site.fallback.store.repository(`${CLOUD}library/later`).tags;
  const { digest } = site.primary.seed(`${INNER}library/later`, '1', { blobs: [5000] });
  await until(() => tags().get('1') === digest);
  const moved = site.primary.seed(`${INNER}library/later`, '1', { blobs: [6000] });
  await until(() => tags().get('1') === moved.digest);
  t.match(site.edge.log, /compared the two upstreams/);
});

t.test('a reload goes on with what is copied, unless that changed', async (t) => {
  const site = await start(t);
  await until(() => /compared the two upstreams/.test(site.edge.log));
  const times = () => site.edge.log.split('compared the two upstreams').length - 1;
  t.equal(times(), 1);
  await site.edge.reload({ ...site.config, limits: { clientIdle: '30s' } });
  const client = site.edge.http1();
  const digest = await push(client, 'team/app', 'v2', 'two');
  await until(() => site.fallback.store.repository(`${CLOUD}team/app`).tags.get('v2') === digest);
  t.equal(times(), 1, 'nothing was compared anew');
  await site.edge.reload({ ...site.config, replication: { images: 2 } });
  await until(() => times() === 2);
  await site.edge.reload({ ...site.config, replication: { when: 'never' } });
  t.equal(site.edge.app.status().replication?.active, false);
  const asked = site.fallback.requests.filter(({ url }) => url.includes('team/app')).length;
  // A copy of the first would ask the fallback while the second is pushed; after the stop there is none.
  for (const tag of ['v3', 'v4']) await push(client, 'team/app', tag, tag);
  await site.edge.app.stop();
  t.equal(site.fallback.requests.filter(({ url }) => url.includes('team/app')).length, asked, 'nothing is copied');
});

t.test('a primary that a reload replaced is not copied any more, though a transfer of its time goes on', async (t) => {
  const site = await start(t, { replication: { every: '1s' } });
  const tags = () => site.fallback.store.repository(`${CLOUD}library/app`).tags;
  await until(() => /compared the two upstreams/.test(site.edge.log));
  const other = await startLabRegistry();
  t.teardown(() => other.close());
  other.seed('canary', 'latest', { blobs: [64] });
  const { digest } = other.seed(`${INNER}library/app`, '3', { blobs: [7000] });
  await site.primary.faults.on('slow', { bytesPerSecond: 100_000 });
  const slow = site.edge.http1().ask(`/v2/library/app/blobs/${site.blob()}`);
  await until(() => site.primary.requests.some(({ url }) => url.endsWith(site.blob())));
  await site.primary.faults.off();
  const upstreams = site.config.upstreams as { harbor: object; gcr: object };
  await site.edge.reload({
    ...site.config,
    upstreams: { ...upstreams, harbor: { ...upstreams.harbor, urls: [other.url] } },
  });
  site.primary.seed(`${INNER}library/app`, '2', { blobs: [100] });
  await until(() => tags().get('3') === digest);
  t.ok((await slow).complete);
  t.equal(tags().get('2'), undefined, 'nothing of the old one');
  t.equal(tags().get('3'), digest);
});

t.test('a push that was begun before a reload is copied after it', async (t) => {
  const site = await start(t);
  const times = () => site.edge.log.split('compared the two upstreams').length - 1;
  await until(() => times() === 1);
  await site.primary.faults.on('delay', { ms: 1500, kind: ['manifest'], path: /team/ });
  const pushed = push(site.edge.http1(), 'team/app', 'v1', 'one');
  await until(() => site.primary.requests.some(({ url }) => url.endsWith('/team/app/manifests/v1')));
  await site.edge.reload({ ...site.config, replication: { images: 2 } });
  await until(() => times() === 2);
  const digest = await pushed;
  const there = () => site.fallback.store.repository(`${CLOUD}team/app`).tags.get('v1');
  await until(() => there() !== undefined);
  t.equal(there(), digest);
});

t.test('what the push upstream fetched by itself is copied when a client pulls it, as of a proxy cache', async (t) => {
  const site = await start(t);
  await until(() => /compared the two upstreams/.test(site.edge.log));
  const { digest } = site.primary.seed(`${INNER}cache/app`, '1', { blobs: [5000] });
  const client = site.edge.http1();
  const there = (tag: string) => site.fallback.store.repository(`${CLOUD}cache/app`).tags.get(tag);
  t.equal((await client.ask('/v2/cache/app/manifests/1')).status, 200);
  await until(() => there('1') === digest);
  const copied = () => site.edge.app.status().replication?.copies;
  await until(() => copied()?.copied === 1);
  await client.ask('/v2/cache/app/manifests/1');
  await client.ask('/v2/library/app/manifests/1');
  t.match(copied(), { copied: 1, same: 0 }, 'what is covered is not looked at again');
  const { digest: second } = site.primary.seed(`${INNER}cache/app`, '2', { blobs: [6000] });
  t.equal((await client.ask('/v2/cache/app/manifests/2', { method: 'HEAD' })).status, 200);
  t.equal((await client.ask(`/v2/cache/app/manifests/${second}`)).status, 200);
  await until(() => there('2') === second, { what: () => 'the tag of what containerd pulled, by its digest' });
});
