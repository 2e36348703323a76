import t from 'tap';
import { startEdge } from '../helpers/edge.ts';
import { writeImage } from '../helpers/image.ts';
import { startRegistry } from '../helpers/registry.ts';
import { SITE_TOOLS, Site } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';

const TIMES = { interval: '500ms', fastInterval: '100ms', timeout: '2s', settle: '500ms' };

t.test('an edge without a canary starts while the NAS is not mounted', { skip: missing(...SITE_TOOLS) }, async (t) => {
  const [harbor, gcr] = await Promise.all([startRegistry(t, { cache: false }), startRegistry(t, { cache: false })]);
  const image = await writeImage(temporaryFolder(t), { layers: [3000] });
  const skopeo = new Skopeo(t);
  await skopeo.push(image.folder, `${harbor.address}/library/app:v1`);
  await skopeo.push(image.folder, `${gcr.address}/example-project/app:v1`);
  await skopeo.push(image.folder, `${harbor.address}/library/only-there:v1`);
  await harbor.storage.moveAway();
  const edge = await startEdge(t, {
    upstreams: { harbor: { urls: [harbor.url], probe: TIMES }, gcr: { urls: [gcr.url], probe: TIMES } },
    routes: [
      {
        prefix: 'library/',
        push: 'harbor',
        pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/' }],
      },
    ],
  });
  const site = new Site(t, { harbor, gcr, edge });
  const client = site.client();

  const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' };
  const pulled = await client.ask('/v2/library/app/manifests/v1', { headers });
  t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, 'what the fallback has is served');
  for (const path of ['manifests/v1', 'tags/list']) {
    const reply = await client.ask(`/v2/library/only-there/${path}`, { headers });
    t.equal(reply.status, 503, `${path} of an image that is on the NAS alone`);
    t.match(reply.body.toString(), /harbor, which may, shows no content, so its storage may be missing/);
  }
  const catalog = await client.ask('/v2/_catalog');
  t.match(JSON.parse(catalog.body.toString()), { repositories: ['library/app'] });
  t.match(catalog.headers.warning, /harbor/);
  const written = harbor.writes();
  const pushed = await new Skopeo(t, edge.certificate.authorityFolder).tryPush(image.folder, `${site.image('new')}:v1`);
  t.not(pushed.status, 0, 'a push is refused');
  t.match(pushed.output, /breakwater canary push harbor/, `with the command to type: ${pushed.output.trim()}`);
  t.equal(harbor.writes(), written, 'and nothing is written onto the mount point');
  t.match((await edge.status()).headline, { level: 'degraded', text: /harbor has shown no content yet/ });

  await harbor.storage.moveBack();
  await edge.waitFor(({ upstreams }) => upstreams.find(({ name }) => name === 'harbor')?.pushes?.admitted === true);
  t.match(
    await client.ask('/v2/library/only-there/manifests/v1', { headers }),
    { status: 200 },
    'all is well by itself',
  );
  t.equal((await client.ask('/v2/library/none/manifests/v1')).status, 404);
  await new Skopeo(t, edge.certificate.authorityFolder).push(image.folder, `${site.image('new')}:v1`);
});
