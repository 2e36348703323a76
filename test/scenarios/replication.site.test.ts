import { createHash } from 'node:crypto';
import t from 'tap';
import { writeImage } from '../helpers/image.ts';
import { SITE_TOOLS, type Site, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

const TYPE = 'application/vnd.oci.image.manifest.v1+json';

function start(owner: Owner, replication: object = {}): Promise<Site> {
  return startSite(owner, {
    routes: [
      {
        prefix: 'library/',
        push: 'harbor',
        pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/', replicate: true }],
      },
    ],
    replication,
  });
}

/** Digest of a tag on a registry, asked past the edge; undefined: it has none. */
async function digestAt(url: string, repository: string, tag: string): Promise<string | undefined> {
  const head = await fetch(`${url}/v2/${repository}/manifests/${tag}`, { method: 'HEAD', headers: { accept: TYPE } });
  return head.headers.get('docker-content-digest') ?? undefined;
}

/** Everything below a tag of the fallback: false if a part of it is missing. */
async function isComplete({ gcr }: Site, repository: string, tag: string): Promise<boolean> {
  const answer = await fetch(`${gcr.url}/v2/${repository}/manifests/${tag}`, { headers: { accept: TYPE } });
  if (answer.status !== 200) return false;
  const { config, layers } = (await answer.json()) as { config: { digest: string }; layers: { digest: string }[] };
  const heads = [config, ...layers].map(({ digest }) =>
    fetch(`${gcr.url}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' }),
  );
  return (await Promise.all(heads)).every(({ status }) => status === 200);
}

/** Pushes a manifest over one small blob, by hand, through the edge. @returns its digest */
async function pushSmall(site: Site, repository: string, tag: string, note: string): Promise<string> {
  const client = site.client();
  const blob = Buffer.from('{}');
  const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
  const begun = await client.ask(`/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(String(begun.headers.location), site.edge.url);
  location.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream' };
  await client.ask(location.pathname + location.search, { method: 'PUT', body: blob, headers });
  const content = {
    schemaVersion: 2,
    mediaType: TYPE,
    config: { mediaType: 'a/b', digest, size: 2 },
    layers: [],
    annotations: { note },
  };
  const body = Buffer.from(JSON.stringify(content));
  const put = await client.ask(`/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    body,
    headers: { 'content-type': TYPE },
  });
  if (put.status !== 201) throw new Error(`the push got ${put.status}: ${put.body}`);
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

t.test(
  'what is pushed is served from the fallback when the primary dies a moment later',
  { skip: missing(...SITE_TOOLS) },
  async (t) => {
    const site = await start(t);
    const skopeo = new Skopeo(t, site.edge.certificate.authorityFolder);
    const image = await writeImage(temporaryFolder(t), { layers: [20_000_000, 1_000_000] });
    skopeo.as(site.edge.address, undefined);
    await skopeo.push(image.folder, `${site.image('fresh')}:v1`);
    await until(async () => (await digestAt(site.gcr.url, 'example-project/fresh', 'v1')) === image.digest);
    await site.harbor.kill();
    t.equal(await skopeo.pull(`${site.image('fresh')}:v1`), image.digest);
  },
);

t.test('a tag that moves a hundred times ends where it is', { skip: missing(...SITE_TOOLS) }, async (t) => {
  const site = await start(t);
  let last = '';
  for (let number = 0; number < 100; number += 1)
    last = await pushSmall(site, 'library/moving', 'latest', String(number));
  await until(async () => (await digestAt(site.gcr.url, 'example-project/moving', 'latest')) === last, {
    timeout: 20_000,
  });
  t.pass('the last digest is there');
});

t.test(
  'what nobody told is found, and what a killed edge left is finished',
  { skip: missing(...SITE_TOOLS) },
  async (t) => {
    const site = await start(t, { every: '2s', maxBandwidth: 4_000_000 });
    const skopeo = new Skopeo(t);
    const names = ['one', 'two', 'three'];
    for (const name of names) {
      const image = await writeImage(temporaryFolder(t), { layers: [3_000_000] });
      await skopeo.push(image.folder, `${site.harbor.address}/library/${name}:v1`);
    }
    const done = async () => {
      const all = await Promise.all(names.map((name) => isComplete(site, `example-project/${name}`, 'v1')));
      return all.filter(Boolean).length;
    };
    // Whenever it dies, no tag names what is not complete.
    for (let kills = 0; kills < 3; kills += 1) {
      await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 900));
      await site.edge.kill();
      for (const name of names) {
        const tagged = (await digestAt(site.gcr.url, `example-project/${name}`, 'v1')) !== undefined;
        if (tagged)
          t.ok(await isComplete(site, `example-project/${name}`, 'v1'), `${name} is complete, since it has its tag`);
      }
      await site.edge.start();
    }
    await until(async () => (await done()) === names.length, { timeout: 40_000 });
    t.pass('all of them are there in the end');
  },
);
