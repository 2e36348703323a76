import t, { type Test } from 'tap';
import { type EdgeInProcess, startEdgeInProcess } from '../helpers/edge-in-process.ts';
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
import { takeSnapshot } from '../helpers/store-snapshot.ts';
import { until } from '../helpers/until.ts';
import { PeerLine } from '../search/peer-line.ts';

// An edge that has not heard its peers takes what a restored primary shows for the truth: it knows nothing else. It must not make another
// edge unlearn what was acknowledged (rule 9).

const KEY = Buffer.from('a secret that both edges of the site have in a file');
const REPOSITORY = 'library/app';
const CONFIG = Buffer.from('{}');

const manifest = (version: string) =>
  Buffer.from(JSON.stringify({ ...JSON.parse(manifestOf(CONFIG).toString()), annotations: { version } }));
const digestOf = (version: string) => sha256(manifest(version));

/** A primary that was restored to `old`, after one edge had acknowledged `new` of two tags. */
async function restored(t: Test) {
  const site = await startLabSite(t, { settings: { key: KEY }, config: { keyFile: 'x' } });
  const client = site.edge.http1();
  await pushBlob(client, REPOSITORY, CONFIG);
  const push = async (tag: string, version: string) => {
    const headers = { 'content-type': MANIFEST_TYPE };
    const put = { method: 'PUT', headers, body: manifest(version) };
    t.equal((await client.ask(`/v2/${REPOSITORY}/manifests/${tag}`, put)).status, 201);
  };
  for (const tag of ['v1', 'v2']) await push(tag, 'old');
  const restore = takeSnapshot(site.primary);
  for (const tag of ['v1', 'v2']) await push(tag, `new ${tag}`);
  copy(site);
  restore();
  return site;
}

/** The fallback has what the primary had. */
function copy({ primary, fallback }: LabSite): void {
  const { blobs, manifests, tags } = primary.store.repository(`${INNER}${REPOSITORY}`);
  const there = fallback.store.repository(`${CLOUD}${REPOSITORY}`);
  for (const [digest, bytes] of primary.store.blobs) fallback.store.blobs.set(digest, bytes);
  for (const digest of blobs) there.blobs.add(digest);
  for (const [digest, one] of manifests) there.manifests.set(digest, one);
  for (const [tag, digest] of tags) there.tags.set(tag, digest);
}

async function another(t: Test, site: LabSite, peers: string[]): Promise<EdgeInProcess> {
  const settings = { key: KEY, certificate: site.edge.certificate };
  return startEdgeInProcess(t, { ...site.config, peers }, settings);
}

/** What an edge has as current of a tag, without asking an upstream. */
async function known(edge: EdgeInProcess, tag: string): Promise<string | null | undefined> {
  const { body } = await edge.admin(`/api/explain?image=${REPOSITORY}:${tag}`);
  const { ledger }: { ledger?: { digest: string | null } } = JSON.parse(body);
  return ledger?.digest;
}

async function pull(edge: EdgeInProcess, tag: string) {
  const { status, headers } = await edge.http1().ask(`/v2/${REPOSITORY}/manifests/${tag}`);
  return { status, digest: headers['docker-content-digest'], warning: headers.warning };
}

const inStep = (edge: EdgeInProcess) =>
  until(
    () => {
      const { peers } = edge.app.status();
      // After a reload there are none until their names are resolved.
      return peers.length > 0 && peers.every(({ state }) => state === 'in-step' || state === 'itself');
    },
    { what: () => `peers: ${JSON.stringify(edge.app.status().peers)}` },
  );

/** Lets both edges hear each other. */
async function join(site: LabSite, first: EdgeInProcess, second: EdgeInProcess): Promise<void> {
  await first.reload({ ...site.config, peers: [`https://127.0.0.1:${second.port}`] });
  await inStep(first);
  await second.reload({ ...site.config, peers: [`https://127.0.0.1:${first.port}`] });
  await inStep(second);
}

t.test('an edge restarts while the other one cannot be reached, and reads a restored primary', async (t) => {
  const site = await restored(t);
  const line = await PeerLine.start(t);
  const second = await another(t, site, [line.url]);
  const old = digestOf('old');
  t.match(await pull(second, 'v1'), { status: 200, digest: old }, 'it cannot know better');
  t.match(await pull(second, 'v2'), { status: 200, digest: old });
  t.equal(await known(second, 'v1'), old, 'for itself it notes what it was shown');
  await site.primary.faults.on('down');
  await second.upstream('harbor', 'down');
  t.match(await pull(second, 'v1'), {
    status: 200,
    digest: digestOf('new v1'),
    warning: /age is unknown|newer or older/,
  });
  await site.primary.faults.off();
  await second.upstream('harbor', 'up');
  await site.edge.upstream('harbor', 'up');
  await join(site, site.edge, second);
  for (const [name, edge] of [
    ['that was there all the time', site.edge],
    ['that restarted', second],
  ] as const)
    for (const tag of ['v1', 'v2']) {
      await until(async () => (await known(edge, tag)) === digestOf(`new ${tag}`), {
        what: () => `the edge ${name} knows ${tag}`,
      });
      t.match(await pull(edge, tag), { digest: digestOf(`new ${tag}`), warning: /lost content/ }, `${name}, ${tag}`);
    }
});

t.test('an edge restarts while the other one can be reached', async (t) => {
  const site = await restored(t);
  const second = await another(t, site, [`https://127.0.0.1:${site.edge.port}`]);
  t.match(await pull(second, 'v1'), { digest: digestOf('new v1'), warning: /lost content/ });
  await until(async () => (await known(site.edge, 'v1')) === digestOf('new v1'));
});

t.test('an edge that lost the other one for a while', async (t) => {
  const site = await startLabSite(t, { settings: { key: KEY }, config: { keyFile: 'x' } });
  const line = await PeerLine.start(t);
  line.port = site.edge.port;
  const second = await another(t, site, [line.url]);
  await inStep(second);
  line.cut = true;
  await until(() => second.app.status().unheard.length > 0, { what: () => 'the loss to be noticed' });
  const client = site.edge.http1();
  await pushBlob(client, REPOSITORY, CONFIG);
  const push = (tag: string, version: string) =>
    client.ask(`/v2/${REPOSITORY}/manifests/${tag}`, {
      ...{ method: 'PUT', headers: { 'content-type': MANIFEST_TYPE }, body: manifest(version) },
    });
  for (const tag of ['v1', 'v2']) await push(tag, 'old');
  const restore = takeSnapshot(site.primary);
  for (const tag of ['v1', 'v2']) await push(tag, `new ${tag}`);
  copy(site);
  restore();
  t.match(await pull(second, 'v1'), { digest: digestOf('old') });
  await join(site, site.edge, second);
  await until(async () => (await known(second, 'v1')) === digestOf('new v1'), {
    what: () => 'the push to be heard of',
  });
  t.match(await pull(second, 'v1'), { digest: digestOf('new v1'), warning: /lost content/ });
});

t.test('what an edge reads before it has heard the others, they learn afterwards', async (t) => {
  const site = await restored(t);
  const line = await PeerLine.start(t);
  const second = await another(t, site, [line.url]);
  site.primary.store.setTag(`${INNER}${REPOSITORY}`, 'foreign', digestOf('old'));
  t.match(await pull(second, 'foreign'), { digest: digestOf('old') });
  await join(site, site.edge, second);
  t.equal(await known(second, 'foreign'), digestOf('old'));
  await until(async () => (await known(site.edge, 'foreign')) === digestOf('old'), { what: () => 'to be told' });
});

t.test('both edges have restarted: nobody knows better than the primary, and nothing else is claimed', async (t) => {
  const site = await restored(t);
  const one = await another(t, site, []);
  const other = await another(t, site, [`https://127.0.0.1:${one.port}`]);
  for (const edge of [one, other]) t.match(await pull(edge, 'v1'), { digest: digestOf('old'), warning: undefined });
});
