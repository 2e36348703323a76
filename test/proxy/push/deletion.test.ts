import t from 'tap';
import type { Client } from '../../helpers/http1-client.ts';
import {
  CLOUD,
  INNER,
  type LabSite,
  type LabSiteOptions,
  MANIFEST_TYPE,
  startLabSite,
} from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import { tagWarning } from '../pull/ledger-site.ts';
import { asksFirst } from '../pull/paced-upstream.ts';

// What the primary acknowledged as deleted is gone at once, although the fallback still has it.

const SECRET = 'the secret of the hooks';
const BY_TAG = '/v2/library/app/manifests/1';
const byDigest = ({ image }: LabSite) => `/v2/library/app/manifests/${image.digest}`;

async function startSite(owner: Owner, options: LabSiteOptions = {}): Promise<LabSite> {
  const harbor = {
    hedge: { floor: '20ms', share: 100 },
    breaker: { consecutive: 1000, volume: 1000 },
    ...options.harbor,
  };
  return startLabSite(owner, { ...options, harbor, settings: { hookSecret: SECRET } });
}

/** The primary answers reads of the image late, so that the fallback is asked beside it. */
const slow = ({ primary }: LabSite) =>
  primary.faults.on('delay', { ms: timeLimit(120), kind: 'manifest', path: 'library/app' });

const remove = async (client: Client, path: string) => (await client.ask(path, { method: 'DELETE' })).status;

interface Case {
  says: string;
  options?: LabSiteOptions;
  before?: (site: LabSite, client: Client) => unknown;
}

const CASES: Case[] = [
  { says: 'in quiet' },
  { says: 'with hedges', before: slow },
  { says: 'with manifests in memory', before: (site, client) => client.ask(byDigest(site)) },
  { says: 'with onAbsent: next', options: { route: { onAbsent: 'next' } }, before: slow },
  { says: 'without a canary', options: { canary: false }, before: slow },
  {
    says: 'with the fallback asked first',
    options: {
      route: {
        pull: [
          { upstream: 'gcr', prefix: CLOUD },
          { upstream: 'harbor', prefix: INNER },
        ],
      },
    },
    before: (site, client) => client.ask(byDigest(site)),
  },
  { says: 'with answers that are kept for a while', options: { config: { manifests: { tagFreshness: '1m' } } } },
];

for (const { says, options, before } of CASES) {
  for (const what of ['tag', 'digest'] as const) {
    t.test(`a deleted ${what}, ${says}`, async (t) => {
      const site = await startSite(t, options);
      const clients = [site.edge.http1(), site.edge.http2()];
      const [client = site.edge.http1()] = clients;
      const paths = what === 'tag' ? [BY_TAG] : [BY_TAG, byDigest(site)];
      for (const path of paths) t.equal((await client.ask(path)).status, 200);
      // The ledger knows no tag that only a fallback has shown.
      if (what === 'digest' && options?.route?.pull !== undefined) paths.shift();
      await before?.(site, client);
      t.equal(await remove(client, what === 'tag' ? BY_TAG : byDigest(site)), 202);
      for (const path of paths) {
        for (const method of ['HEAD', 'GET']) {
          for (const one of clients) {
            const reply = await one.ask(path, { method });
            t.equal(
              reply.status,
              404,
              `${one.version} ${method} ${path.slice(20, 40)}: ${JSON.stringify(reply.headers)}`,
            );
          }
        }
      }
    });
  }
}

t.test('a read that is under way does not answer those that come after the deletion', async (t) => {
  const site = await startSite(t);
  await slow(site);
  const [early, late] = [site.edge.http1(), site.edge.http2()];
  const begun = [BY_TAG, byDigest(site)].map((path) => early.ask(path));
  t.equal(await remove(late, byDigest(site)), 202);
  for (const path of [BY_TAG, byDigest(site)]) t.equal((await late.ask(path)).status, 404);
  await Promise.all(begun);
  for (const path of [BY_TAG, byDigest(site)]) t.equal((await late.ask(path)).status, 404, 'and leave nothing behind');
});

t.test('in an outage a deleted manifest is like a deleted tag', async (t) => {
  for (const staleTags of ['warn', 'refuse', 'serve']) {
    const site = await startSite(t, { route: { staleTags } });
    const client = site.edge.http1();
    await remove(client, byDigest(site));
    await site.primary.faults.on('errors');
    const reply = await client.ask(byDigest(site));
    t.equal(reply.status, staleTags === 'refuse' ? 503 : 200, staleTags);
    if (staleTags === 'warn')
      t.match(reply.headers.warning, /manifest sha256:\w+ at gcr was deleted: harbor has not had it since/);
    if (staleTags === 'serve') t.notMatch(reply.headers.warning, /deleted/);
  }
});

t.test('what is pushed again is there again', async (t) => {
  const site = await startSite(t);
  const client = site.edge.http1();
  const put = { method: 'PUT', body: site.image.manifest, headers: { 'content-type': MANIFEST_TYPE } };
  for (const path of [BY_TAG, byDigest(site)]) {
    await remove(client, byDigest(site));
    t.equal((await client.ask(byDigest(site), { method: 'HEAD' })).status, 404);
    t.equal((await client.ask(path, put)).status, 201);
    t.match(await client.ask(byDigest(site), { method: 'HEAD' }), {
      status: 200,
      headers: { 'x-breakwater-upstream': 'harbor' },
    });
    await site.primary.faults.on('errors');
    const reply = await client.ask(byDigest(site));
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    t.notMatch(reply.headers.warning, /deleted/);
    await site.primary.faults.off();
    await asksFirst(site, 'harbor', 'library/app:1');
    await site.edge.pushes('harbor', true);
  }
});

/** A hook of Harbor that tells of a deletion. */
function hook(client: Client, { image }: LabSite, tag = '1') {
  const resources = [{ digest: image.digest, tag }];
  const repository = { repo_full_name: `${INNER}library/app` };
  return client.ask('/hooks/harbor', {
    method: 'POST',
    headers: { authorization: SECRET, 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'DELETE_ARTIFACT', event_data: { repository, resources } }),
  });
}

t.test('a deletion that a hook tells of', async (t) => {
  const site = await startSite(t, { config: { manifests: { tagFreshness: '1m' } } });
  const client = site.edge.http1();
  for (const path of [BY_TAG, byDigest(site)]) t.equal((await client.ask(path)).status, 200);
  await slow(site);
  site.primary.store.removeManifest(`${INNER}library/app`, site.image.digest);
  t.equal((await hook(client, site)).status, 202);
  for (const path of [BY_TAG, byDigest(site)])
    for (const method of ['HEAD', 'GET'])
      t.equal((await client.ask(path, { method })).status, 404, `${method} ${path}`);
});

t.test('a hook that comes after the image was pushed again', async (t) => {
  const site = await startSite(t);
  const client = site.edge.http1();
  await client.ask(BY_TAG);
  t.equal((await hook(client, site)).status, 202);
  await until(async () => /"digest":\s*"sha256/.test((await site.edge.admin('/api/explain?image=library/app:1')).body));
  await site.primary.faults.on('errors');
  for (const path of [BY_TAG, byDigest(site)]) {
    const reply = await client.ask(path);
    t.equal(reply.status, 200);
    t.notMatch(tagWarning(reply) ?? '', /deleted/);
    t.notMatch(reply.headers.warning, /deleted/);
  }
});

t.test('without a canary, blobs that a client deleted are no lost storage', async (t) => {
  const site = await startSite(t, { canary: false, route: { pull: [{ upstream: 'harbor', prefix: INNER }] } });
  const client = site.edge.http1();
  const paths = site.image.blobDigests.map((digest) => `/v2/library/app/blobs/${digest}`);
  for (const path of paths) t.equal((await client.ask(path)).status, 200);
  for (const path of paths) t.equal(await remove(client, path), 202);
  for (const path of paths) t.equal((await client.ask(path, { method: 'HEAD' })).status, 404);
  t.equal((await client.ask('/v2/library/new/blobs/uploads/', { method: 'POST' })).status, 202, 'a push is taken');
});
