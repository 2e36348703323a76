import { rm } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { ClientLoop } from '../helpers/client-loop.ts';
import { tryCommand } from '../helpers/command.ts';
import { type EdgeStatus, LAUNCHER } from '../helpers/edge.ts';
import { type Image, writeImage } from '../helpers/image.ts';
import { PullLoop } from '../helpers/pull-loop.ts';
import { IN_STEP, SITE_TOOLS, type Site, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

/** Bytes a second: so slow that pulls go on for some seconds while the primary is half there. */
const BANDWIDTH = '3MB';
const ENOUGH = 20;

t.test(
  'the primary lost its storage for good, and is rebuilt from the fallback while clients pull',
  { skip: missing(...SITE_TOOLS) },
  async (t) => {
    // Two cores run registries, clients and tests at once: an answer after 150 ms says nothing here.
    const site = await startSite(t, IN_STEP, async () => ({ hedge: { floor: '500ms' } }));
    try {
      await restore(t, site);
    } finally {
      if (!t.passing()) t.comment(site.edge.story());
    }
  },
);

async function restore(t: Test, site: Site): Promise<void> {
  const { harbor, gcr, edge } = site;
  const images: Record<string, Image> = {};
  // By name the canary would come second.
  for (const name of ['app:v1', 'app:v2', 'deep/er:v1', 'zoo:v1'])
    images[name] = await site.seed(name, { layers: [3_000_000, 500] });
  images['multi:v1'] = await site.seed('multi:v1', { layers: [500_000], platforms: ['amd64', 'arm64'] });
  const skopeo = new Skopeo(t);
  await skopeo.copy(
    `docker://${harbor.address}/library/canary:latest`,
    `docker://${gcr.address}/example-project/canary:latest`,
  );
  const loops = ['app:v1', 'zoo:v1'].map((name) => {
    const [repository = '', reference = ''] = name.split(':');
    const digest = images[name]?.digest ?? '';
    const { authority } = edge.certificate;
    return new PullLoop(t, {
      url: edge.url,
      authority,
      repository: `library/${repository}`,
      reference,
      digest,
      every: 100,
    });
  });
  const client = new Skopeo(t, edge.certificate.authorityFolder);
  const clients = new ClientLoop(t, [client], `${site.image('zoo')}:v1`, images['zoo:v1']?.digest ?? '');
  await until(() => loops.every(({ done }) => done.length >= 5));

  await harbor.kill();
  await rm(harbor.storage.root, { recursive: true });
  await harbor.start();
  await edge.waitFor((status) => harborOf(status)?.state === 'down');
  const written = gcr.writes();

  const began = performance.now();
  const command = ['sync', 'gcr', 'harbor', '--config', edge.configFile, '--max-bandwidth', BANDWIDTH];
  const synced = await tryCommand(LAUNCHER, command);
  const ended = performance.now();
  t.equal(synced.status, 0, synced.output);
  const during = loops.flatMap((loop) => loop.since(began)).filter((one) => one.began < ended);
  const puts = harbor.requests().filter((line) => /^PUT .*\/manifests\//.test(line));
  t.match(puts.at(-1), /library\/canary\/manifests\/latest/, 'what tells that all is there came as the last');
  const rescued = during.filter(({ upstreams }) => upstreams.every((name) => name === 'gcr')).length;
  t.ok(rescued >= ENOUGH, `${rescued} pulls from the fallback in the ${Math.round(ended - began)} ms that it took`);

  await edge.waitFor((status) => harborOf(status)?.state === 'up' && harborOf(status)?.pushes?.admitted, 30_000);
  await until(() => loops.every(({ done }) => done.at(-1)?.upstreams.every((name) => name === 'harbor')), {
    what: () => 'the primary to serve again',
  });
  await Promise.all([...loops.map((loop) => loop.stop()), clients.stop()]);
  for (const { failed, done } of loops) t.strictSame(failed, [], `none of ${done.length} pulls failed`);
  t.strictSame(clients.failed, [], `no pull of a real client failed: ${JSON.stringify([...clients.done])}`);
  t.equal(gcr.writes(), written, 'nothing was written to the fallback');

  for (const [name, image] of Object.entries(images))
    t.equal(await skopeo.pull(`${harbor.address}/library/${name}`), image.digest, `${name} is whole on the primary`);
  const another = await writeImage(temporaryFolder(t), { layers: [1000] });
  await client.push(another.folder, `${site.image('another')}:v1`);
  t.equal(await skopeo.pull(`${harbor.address}/library/another:v1`), another.digest, 'pushes go there again');
}

function harborOf(status: EdgeStatus): EdgeStatus['upstreams'][number] | undefined {
  return status.upstreams.find(({ name }) => name === 'harbor');
}
