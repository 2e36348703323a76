import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { ContainerClient } from '../helpers/container-client.ts';
import { Crane } from '../helpers/crane.ts';
import { FaultyLine } from '../helpers/faulty-line.ts';
import { writeImage } from '../helpers/image.ts';
import { RegistryFront } from '../helpers/registry-front.ts';
import { SITE_TOOLS, type Site, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';

// An image that only the primary has, which takes longer for it than the deadlines of attempts, as a proxy cache does. Real clients get it.

const SLOW_MS = 4000;
const OPTIONS = { skip: missing(...SITE_TOOLS, 'crane'), timeout: timeLimit(180_000) };

const clientsOf = (owner: Owner, { edge }: Site): ContainerClient[] => [
  new Skopeo(owner, edge.certificate.authorityFolder),
  new Crane(owner, edge.certificate.authorityFolder),
];

/** Puts an image on the primary alone, past the edge, and has every client pull it. */
async function pullAll(t: Test, site: Site): Promise<void> {
  const { folder } = await writeImage(temporaryFolder(t), { layers: [100_000] });
  await new Skopeo(t).push(folder, `${site.harbor.address}/library/only:1`);
  await Promise.all(
    clientsOf(t, site).map(async (client) => {
      const { status, output, took } = await client.tryPull(site.image('only:1'));
      t.equal(status, 0, `${client.name}, after ${Math.round(took)} ms: ${output}`);
    }),
  );
}

t.test('its manifests and blobs are slow, and the canary is not', OPTIONS, async (t) => {
  const front = new RegistryFront(t, async ({ url }) => {
    if (url?.startsWith('/v2/library/only/')) await delay(SLOW_MS);
    return 'pass';
  });
  await front.listen();
  const site = await startSite(t, {}, async (harbor) => {
    front.before(harbor.address);
    return { urls: [`http://${front.address}`] };
  });
  await pullAll(t, site);
});

t.test('everything is slow, probes too', OPTIONS, async (t) => {
  let line: FaultyLine | undefined;
  const site = await startSite(t, {}, async (harbor) => {
    line = await new FaultyLine(t, harbor.address).listen();
    return { urls: [`http://${line.address}`] };
  });
  line?.set({ latency: SLOW_MS });
  // The probes find out that it is slow and not silent.
  await delay(3 * SLOW_MS);
  await site.edge.waitFor(({ upstreams }) => upstreams.find(({ name }) => name === 'harbor')?.state === 'up');
  await pullAll(t, site);
});
