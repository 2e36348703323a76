import t from 'tap';
import { writeImage } from '../helpers/image.ts';
import { Podman } from '../helpers/podman.ts';
import { SITE_TOOLS, startSite } from '../helpers/site.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';

t.test('docker-registry in its readonly mode', { skip: missing(...SITE_TOOLS, 'podman') }, async (t) => {
  const site = await startSite(t);
  const { digest } = await site.seed('app:v1');
  const image = await writeImage(temporaryFolder(t), { layers: [1000] });
  const podman = new Podman(t, site.edge.certificate.authorityFolder);
  const harborIs = (wanted: 'up' | 'down', admits: boolean) =>
    site.edge.waitFor(({ upstreams }) => {
      const harbor = upstreams.find(({ name }) => name === 'harbor');
      return harbor?.state === wanted && harbor.pushes?.admitted === admits;
    });
  const restart = async (readOnly: boolean) => {
    await site.harbor.kill();
    await harborIs('down', false);
    site.harbor.readOnly = readOnly;
    await site.harbor.start();
  };
  await restart(true);
  await harborIs('up', true);
  const refused = await podman.tryPush(image.folder, `${site.image('new')}:v1`);
  t.not(refused.status, 0);
  t.match(refused.output, /pushes are refused since .*harbor cannot take them \(it is read-only\)/);
  await harborIs('up', false);
  t.equal(await podman.pull(`${site.image('app')}:v1`), digest, 'pulls go on');
  await restart(false);
  await harborIs('up', true);
  await podman.push(image.folder, `${site.image('new')}:v1`);
  t.notOk(
    site.gcr.requests().some((line) => line.includes('/new/') && !/^(GET|HEAD)/.test(line)),
    'nothing was written to the fallback',
  );
});
