import t from 'tap';
import { ChunkedPodman, newFiles } from '../helpers/chunked-podman.ts';
import { FaultyLine } from '../helpers/faulty-line.ts';
import { SITE_TOOLS, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { missing } from '../helpers/tool.ts';

const FILES = 300;
const TAGS = ['v1', 'v2', 'v3'];

t.test(
  'podman pulls the missing parts of zstd:chunked layers',
  { skip: missing(...SITE_TOOLS, 'podman') },
  async (t) => {
    let line: FaultyLine | undefined;
    const site = await startSite(t, {}, async (harbor) => {
      line = await new FaultyLine(t, harbor.address).listen();
      return { urls: [`http://${line.address}`], hedge: { share: 0 } };
    });
    const podman = new ChunkedPodman(t, site.edge.certificate.authorityFolder);
    if (!(await podman.works())) return void t.pass('no overlay storage here', { skip: true });
    const contents = newFiles(FILES);
    const versions: Buffer[][] = [];
    for (const tag of TAGS) {
      await podman.push(contents, `${site.image('app')}:${tag}`);
      const skopeo = new Skopeo(t);
      const copy = (address: string, prefix: string) => `docker://${address}/${prefix}/app:${tag}`;
      await skopeo.copy(copy(site.harbor.address, 'library'), copy(site.gcr.address, 'example-project'));
      versions.push([...contents]);
      for (let index = versions.length; index < FILES; index += 9) contents[index] = newFiles(1)[0] ?? Buffer.alloc(0);
    }

    const parts = () => [...site.edge.log().matchAll(/"parts":(\d+),/g)].map(([, count]) => Number(count));
    const pulls = async (index: number, says: string) => {
      const image = `${site.image('app')}:${TAGS[index]}`;
      const said = await podman.pull(image);
      t.match(said, /Retrieved partial blob/, says);
      t.notMatch(said, /Failed to retrieve partial blob/);
      t.ok(await podman.has(image, versions[index] ?? []), 'with every file');
    };
    await pulls(0, 'all of a layer');
    t.strictSame(parts(), [FILES]);

    line?.set({ limitData: 150_000 });
    await pulls(1, 'what changed, while the primary breaks off');
    t.ok((parts()[1] ?? 0) > 20 && (parts()[1] ?? 0) < 60, `${parts()[1]} parts`);
    t.match(site.edge.log(), /"splices":\[\{"from":"harbor","to":"gcr"/, 'the fallback goes on');
    line?.set({});

    await site.harbor.kill();
    await pulls(2, 'without the primary');
    t.match(site.edge.log(), /"parts":\d+,"upstream":"gcr"/);
    t.notMatch(site.edge.log(), /"outcome":"cut"/);
  },
);
