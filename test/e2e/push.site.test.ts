import t from 'tap';
import { writeImage } from '../helpers/image.ts';
import { CLIENT_TOOLS, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';

t.test(
  'what real clients push lands on the primary, and nowhere else',
  { skip: missing(...CLIENT_TOOLS) },
  async (t) => {
    // On a busy machine an answer may be late, and a hedge would ask the fallback.
    const site = await startSite(t, {}, async () => ({ hedge: { share: 0 } }));
    const direct = new Skopeo(t);
    const before = site.gcr.writes();
    for (const client of await site.clients()) {
      // Large enough that uploads are more than one write on the socket.
      const image = await writeImage(temporaryFolder(t), { layers: [3_000_000, 200] });
      const name = `pushed-by-${client.name}`;
      await client.push(image.folder, `${site.image(name)}:v1`);
      const stored = await direct.pull(`${site.harbor.address}/library/${name}:v1`);
      t.ok(stored, `${client.name}: the primary has it under its own path`);
      // podman compresses anew what it had unpacked, so that its digests are its own.
      if (client.name !== 'podman') t.equal(stored, image.digest, `${client.name}: byte for byte`);
      t.equal(await client.pull(`${site.image(name)}:v1`), stored, `${client.name}: pulls back what it pushed`);
    }
    t.equal(site.gcr.writes() - before, 0, 'nothing was written to the fallback');
    t.notOk(
      site.gcr.requests().some((line) => line.includes('pushed-by')),
      'the fallback was not even asked about it',
    );
  },
);

t.test('an image for two platforms goes through whole', { skip: missing(...CLIENT_TOOLS) }, async (t) => {
  const site = await startSite(t);
  const image = await writeImage(temporaryFolder(t), { layers: [50_000], platforms: ['amd64', 'arm64'] });
  const client = new Skopeo(t, site.edge.certificate.authorityFolder);
  await client.push(image.folder, `${site.image('index')}:v1`);
  t.equal(await new Skopeo(t).pull(`${site.harbor.address}/library/index:v1`), image.digest);
  t.equal(await client.pull(`${site.image('index')}:v1`), image.digest);
});

t.test('a blob of another repository is mounted, not sent again', { skip: missing(...CLIENT_TOOLS) }, async (t) => {
  const site = await startSite(t);
  const image = await writeImage(temporaryFolder(t), { layers: [100_000] });
  const digest = image.blobs[0]?.digest;
  await new Skopeo(t, site.edge.certificate.authorityFolder).push(image.folder, `${site.image('first')}:v1`);
  const path = `/v2/library/second/blobs/uploads/?mount=${digest}&from=library/first`;
  const mounted = await site.client().ask(path, { method: 'POST' });
  t.equal(mounted.status, 201, 'mounted');
  t.match(mounted.headers.location, new RegExp(`/v2/library/second/blobs/${digest}$`), 'in the names of the client');
  t.notMatch(mounted.headers.location, site.harbor.address, 'without the address of the upstream');
});
