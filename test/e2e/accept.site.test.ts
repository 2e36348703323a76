import t from 'tap';
import { EVERY_MANIFEST } from '../helpers/http1-client.ts';
import { sha256 } from '../helpers/lab-site.ts';
import { SITE_TOOLS, type Site, startSite } from '../helpers/site.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

// docker-registry 2.8 answers a tag by what the client's Accept names: with the index, a child of it, a conversion, or 404.

const IMAGE = 'application/vnd.docker.distribution.manifest.v2+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const HELLO = Buffer.from('hello, registry');

async function put(url: string, body: Buffer, type: string): Promise<void> {
  const { status } = await fetch(url, { method: 'PUT', body: new Uint8Array(body), headers: { 'content-type': type } });
  if (status !== 201) throw new Error(`PUT ${url}: ${status}`);
}

async function putBlob(registry: string, repository: string, bytes: Buffer): Promise<void> {
  const begun = await fetch(`${registry}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(begun.headers.get('location') ?? '', registry);
  location.searchParams.set('digest', sha256(bytes));
  await put(location.href, bytes, 'application/octet-stream');
}

/** Puts a docker image for each platform, and their list under the tag. @returns the list, and its first child */
async function putMultiArch(
  registry: string,
  repository: string,
  tag: string,
): Promise<{ list: Buffer; child: Buffer }> {
  const children = [];
  for (const architecture of ['amd64', 'arm64']) {
    const rootfs = { type: 'layers', diff_ids: [sha256(HELLO)] };
    const history = [{ created: '2026-01-02T03:04:05Z', created_by: 'a test' }];
    const config = Buffer.from(JSON.stringify({ architecture, os: 'linux', config: {}, rootfs, history }));
    await putBlob(registry, repository, config);
    await putBlob(registry, repository, HELLO);
    const configured = {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      digest: sha256(config),
      size: config.length,
    };
    const layer = {
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      digest: sha256(HELLO),
      size: HELLO.length,
    };
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config: configured, layers: [layer] }),
    );
    await put(`${registry}/v2/${repository}/manifests/${sha256(manifest)}`, manifest, IMAGE);
    children.push({ architecture, manifest });
  }
  const manifests = children.map(({ architecture, manifest }) => ({
    mediaType: IMAGE,
    digest: sha256(manifest),
    size: manifest.length,
    platform: { architecture, os: 'linux' },
  }));
  const list = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: LIST, manifests }));
  await put(`${registry}/v2/${repository}/manifests/${tag}`, list, LIST);
  return { list, child: children[0]?.manifest ?? HELLO };
}

async function ledgerHas({ edge }: Site, image: string, digest: string): Promise<void> {
  let told = '';
  await until(
    async () => {
      told = await (await fetch(`${edge.adminUrl}/api/explain?image=${image}`)).text();
      return told.includes(digest);
    },
    { what: () => `the ledger to have ${digest}: ${told}` },
  );
}

t.test('the ledger believes what no Accept has narrowed', { skip: missing(...SITE_TOOLS) }, async (t) => {
  const site = await startSite(t, {}, async () => ({ hedge: { share: 0 } }));
  const client = site.client();
  const ask = (reference: string, accept?: string, method = 'GET', name = 'multi') =>
    client.ask(`/v2/library/${name}/manifests/${reference}`, {
      method,
      headers: accept === undefined ? {} : { accept },
    });
  const { list, child } = await putMultiArch(site.harbor.url, 'library/multi', '1');
  await putMultiArch(site.gcr.url, 'example-project/multi', '1');
  const oci = await site.seed('oci:1');

  await t.test('while the primary is well', async (t) => {
    const narrow = await ask('1', IMAGE);
    t.equal(sha256(narrow.body), sha256(child), 'a client that names one type gets the amd64 image');
    await ledgerHas(site, 'library/multi:1', sha256(list));
    t.equal(sha256((await ask('1', `${IMAGE};q=0.5, ${LIST}`)).body), sha256(list));
    t.equal((await ask('1', EVERY_MANIFEST, 'GET', 'oci')).headers['docker-content-digest'], oci.digest);
    const without = await ask('1', IMAGE, 'GET', 'oci');
    t.equal(without.status, 404, 'an OCI manifest is not converted');
    t.match(without.body.toString(), /OCI manifest found, but accept header does not support OCI manifests/);
    const pinned = await ask(oci.digest, IMAGE, 'HEAD', 'oci');
    t.equal(pinned.status, 200, 'a digest means the same bytes, whatever is accepted: they come from memory');
  });

  await t.test('a conversion to schema 1', async (t) => {
    await put(`${site.harbor.url}/v2/library/multi/manifests/single`, child, IMAGE);
    const direct = await fetch(`${site.harbor.url}/v2/library/multi/manifests/single`);
    t.match(direct.headers.get('content-type'), /manifest\.v1\+prettyjws/, 'is what docker-registry makes of it');
    const reply = await ask('single');
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.equal(JSON.parse(reply.body.toString()).schemaVersion, 1, 'and passes as it is');
    await ledgerHas(site, 'library/multi:single', sha256(child));
  });

  await t.test('in an outage', async (t) => {
    await site.harbor.kill();
    const whole = await ask('1', EVERY_MANIFEST);
    t.equal(sha256(whole.body), sha256(list), 'every client gets the whole image');
    t.notMatch(whole.headers.warning, /tag 1 at gcr/);
    const narrow = await ask('1', IMAGE);
    t.equal(sha256(narrow.body), sha256(child), 'and the one that names one type gets that');
    t.notMatch(narrow.headers.warning, /tag 1 at gcr/, 'without a warning');
    const untouched = await ask('1', EVERY_MANIFEST, 'GET', 'oci');
    t.equal(untouched.headers['docker-content-digest'], oci.digest);
    t.notMatch(untouched.headers.warning, /deleted/, 'the 404 was no deletion');
  });
});

t.test('a deleted manifest is gone at once', { skip: missing(...SITE_TOOLS) }, async (t) => {
  const site = await startSite(t, {}, async () => ({ hedge: { floor: '1ms', share: 100 } }));
  const client = site.client();
  const { digest } = await site.seed('gone:1');
  const headers = { accept: EVERY_MANIFEST };
  for (const reference of ['1', digest]) await client.ask(`/v2/library/gone/manifests/${reference}`, { headers });
  t.equal((await client.ask(`/v2/library/gone/manifests/${digest}`, { method: 'DELETE' })).status, 202);
  for (let round = 0; round < 10; round += 1)
    for (const reference of ['1', digest])
      for (const method of ['HEAD', 'GET'])
        t.equal(
          (await client.ask(`/v2/library/gone/manifests/${reference}`, { method, headers })).status,
          404,
          `${method} ${reference}`,
        );
});
