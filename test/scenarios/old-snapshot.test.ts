import { cp, rename } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { tryCommand } from '../helpers/command.ts';
import { LAUNCHER } from '../helpers/edge.ts';
import { writeImage } from '../helpers/image.ts';
import { IN_STEP, SITE_TOOLS, type Site, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

const TYPE = 'application/vnd.oci.image.manifest.v1+json';

t.test(
  'the NAS is restored from an old snapshot, under a registry that runs on',
  { skip: missing(...SITE_TOOLS) },
  async (t) => {
    const site = await startSite(t, IN_STEP);
    try {
      await restoreOldSnapshot(t, site);
    } finally {
      if (!t.passing()) t.comment(site.edge.story());
    }
  },
);

async function restoreOldSnapshot(t: Test, site: Site): Promise<void> {
  const { harbor, edge } = site;
  const skopeo = new Skopeo(t, edge.certificate.authorityFolder);
  const push = async (name: string, size: number) => {
    const image = await writeImage(temporaryFolder(t), { layers: [size] });
    await skopeo.push(image.folder, site.image(name));
    const [repository = '', tag = ''] = name.split(':');
    await until(async () => (await onFallback(site, repository, tag)) === image.digest, {
      what: () => `${name} there`,
    });
    return image.digest;
  };
  const old = await push('app:v1', 2000);
  const snapshot = `${harbor.storage.root}.snapshot`;
  await cp(harbor.storage.root, snapshot, { recursive: true });
  const acknowledged = {
    'app:v1': await push('app:v1', 3000),
    'app:v2': await push('app:v2', 4000),
    'new:v1': await push('new:v1', 5000),
  };
  await rename(harbor.storage.root, `${harbor.storage.root}.lost`);
  await rename(snapshot, harbor.storage.root);

  for (const [name, digest] of Object.entries(acknowledged))
    t.equal(await skopeo.pull(site.image(name)), digest, `${name} is served as it was acknowledged`);
  const status = await edge.waitFor(({ headline }) => /harbor has lost content/.test(headline.text));
  t.match(status.headline.text, /breakwater accept harbor/);
  // Several comparisons.
  const compared = () => edge.log().split('nothing is copied over or deleted').length;
  const before = compared();
  await until(() => compared() > before, { timeout: 120_000, what: () => 'a comparison that is refused' });
  for (const [name, digest] of Object.entries(acknowledged)) {
    const [repository = '', tag = ''] = name.split(':');
    t.equal(await onFallback(site, repository, tag), digest, `${name} is on the fallback as it was`);
  }
  const shown = await tryCommand(LAUNCHER, ['status', '--admin', edge.adminUrl]);
  t.match(shown, { status: 1, output: /content of harbor: lost what was pushed/ });
  t.match(await tryCommand(LAUNCHER, ['explain', 'library/app:v1', '--admin', edge.adminUrl]), {
    status: 0,
    output: /harbor has lost content since/,
  });
  const refused = await tryCommand(LAUNCHER, ['accept', 'harbor', '--admin', edge.adminUrl]);
  t.match(refused, { status: 1, output: /adminTokenFile/ }, 'only an operator with the token accepts it');
  t.not(old, acknowledged['app:v1']);
}

async function onFallback({ gcr }: Site, repository: string, tag: string): Promise<string | undefined> {
  const url = `${gcr.url}/v2/example-project/${repository}/manifests/${tag}`;
  const head = await fetch(url, { method: 'HEAD', headers: { accept: TYPE } });
  return head.headers.get('docker-content-digest') ?? undefined;
}
