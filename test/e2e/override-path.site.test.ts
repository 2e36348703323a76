import t from 'tap';
import { Containerd } from '../helpers/containerd.ts';
import { SITE_TOOLS, startSite } from '../helpers/site.ts';
import { missing } from '../helpers/tool.ts';

const routes = [
  {
    prefix: 'library/',
    push: 'harbor',
    pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/' }],
  },
];

t.test('containerd mirrors with override_path', { skip: missing(...SITE_TOOLS, 'containerd', 'ctr') }, async (t) => {
  for (const nsFallback of [false, true]) {
    await t.test(`hosts.nsFallback: ${nsFallback}`, async (t) => {
      const site = await startSite(t, { hosts: { nsFallback }, routes });
      await site.seed('app:1');
      const url = `${site.edge.url}/v2/library`;
      const mirror = { registry: 'ghcr.test', url };
      const containerd = await new Containerd(t, site.edge.certificate.authorityFolder, mirror).start();
      const image = 'ghcr.test/app:1';
      const status = nsFallback ? 0 : 1;
      const byCtr = await containerd.tryPull(image);
      t.equal(byCtr.status, status, `ctr: ${byCtr.output.slice(-300)}`);
      await t.test('crictl', { skip: missing('crictl') }, async (t) => {
        const byCri = await containerd.tryPullByCri(image);
        t.equal(byCri.status, status, byCri.output);
      });
    });
  }
});
