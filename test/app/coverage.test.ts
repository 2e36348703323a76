import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { CoverageReport } from '../../src/replication/coverage/report.ts';
import { tryCommand } from '../helpers/command.ts';
import { startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { CLOUD, INNER, type LabSite, type LabSiteOptions, startLabSite } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

const BIN = fileURLToPath(new URL('../../bin/breakwater', import.meta.url));
const PULL = [
  { upstream: 'harbor', prefix: INNER },
  { upstream: 'gcr', prefix: CLOUD, replicate: true },
];
function start(owner: Owner, options: LabSiteOptions = {}): Promise<LabSite> {
  return startLabSite(owner, { ...options, route: { pull: PULL } });
}

const adminOf = ({ edge }: Pick<LabSite, 'edge'>) => `http://127.0.0.1:${edge.app.addresses().admin.port}`;

async function ask(site: Pick<LabSite, 'edge'>, query = ''): Promise<CoverageReport> {
  const response = await fetch(`${adminOf(site)}/api/coverage${query}`);
  return (await response.json()) as CoverageReport;
}

/** Once the report is as wanted, and nothing that was pulled is still to be looked at. */
function told(site: Pick<LabSite, 'edge'>, query: string, verdict: CoverageReport['verdict']): Promise<CoverageReport> {
  return until(async () => {
    const report = await ask(site, query);
    const isSettled = verdict === 'unknown' || report.routes.every(({ unknown }) => unknown === 0);
    return report.verdict === verdict && isSettled && report;
  });
}

t.test('what could be pulled if the primary died, over everything and over what was pulled', async (t) => {
  const site = await start(t, { config: { replication: { every: '1s' } } });
  const broken = site.primary.seed(`${INNER}library/broken`, '1', { blobs: [5000] });
  site.primary.store.removeBlob(`${INNER}library/broken`, broken.blobDigests[0] ?? '');
  const client = site.edge.http1();
  t.match(await told(site, '?pulled=7d', 'unknown'), { routes: [{ references: 0 }] });
  await client.ask('/v2/library/app/manifests/1');
  await client.ask('/v2/library/app/manifests/1', { method: 'HEAD' });
  await client.ask('/v2/library/none/manifests/1');
  const report = await told(site, '', 'incomplete');
  t.match(report.routes, [
    {
      references: 2,
      missing: 1,
      worst: [{ repository: 'library/broken', gaps: [{ reference: '1', state: 'missing' }] }],
    },
  ]);
  t.match(
    await told(site, '?pulled=7d', 'covered'),
    { routes: [{ references: 1, ratio: 1 }] },
    'nobody pulled that one',
  );

  await client.ask('/v2/library/broken/manifests/1', { method: 'HEAD' });
  const bad = await until(async () => {
    const now = await told(site, '?pulled=1h', 'incomplete');
    return now.routes[0]?.worst[0]?.gaps[0]?.failure ? now : undefined;
  });
  t.match(bad.routes, [{ references: 2, covered: 1, missing: 1 }], 'containerd pulls by the digest that a HEAD tells');
  t.match(bad.routes[0]?.worst[0]?.gaps, [{ reference: '1', failure: /404/ }]);

  const text = await tryCommand(BIN, ['coverage', '--pulled', '7d', '--admin', adminOf(site)]);
  t.equal(text.status, 1);
  t.match(text.stdout, /^If harbor died now, 1 of 2 images pulled within 7d could not be pulled\.\n/);
  t.match(text.stdout, /library\/broken: 1 of 1 image\n.*missing.*404/);
  const json = await tryCommand(BIN, ['coverage', '--json', '--admin', adminOf(site)]);
  t.match(JSON.parse(json.stdout), { verdict: 'incomplete', routes: [{ missing: 1 }] });
  t.equal((await tryCommand(BIN, ['coverage', '--pulled', 'long', '--admin', adminOf(site)])).status, 2);
  t.equal((await tryCommand(BIN, ['coverage', '--route', 'x/', '--admin', adminOf(site)])).status, 2);
});

t.test('all is covered: exit status 0; an image by digest counts, of memory too', async (t) => {
  const site = await start(t, { config: { replication: { every: '1h', watch: '1s' } } });
  const { digest } = site.primary.seed(`${INNER}library/old`, '1', { blobs: [3000] });
  site.primary.seed(`${INNER}library/old`, '1', { blobs: [4000] });
  const client = site.edge.http1();
  for (let round = 0; round < 2; round += 1)
    t.equal((await client.ask(`/v2/library/old/manifests/${digest}`)).status, 200);
  await client.ask(`/v2/library/app/manifests/${site.image.digest}`, { method: 'HEAD' });
  t.match(await told(site, '?pulled=1h', 'covered'), { routes: [{ references: 1 }] });
  t.ok(site.fallback.store.manifest(`${CLOUD}library/old`, digest), 'it was copied, though it has no tag any more');
  await told(site, '', 'covered');
  t.equal((await tryCommand(BIN, ['coverage', '--admin', adminOf(site)])).status, 0);
});

t.test('an edge knows what the other one served', async (t) => {
  const key = Buffer.from('a secret that both edges of the site have in a file');
  const site = await start(t, { settings: { key }, config: { keyFile: 'x', replication: { when: 'never' } } });
  const peers = [`https://127.0.0.1:${site.edge.port}`];
  const config = { ...site.config, peers, replication: { every: '1s' } };
  const edge = await startEdgeInProcess(t, config, { key, certificate: site.edge.certificate });
  await site.edge.http1().ask('/v2/library/app/manifests/1');
  t.match(await told({ edge }, '?pulled=1h', 'covered'), { routes: [{ references: 1 }] });
  t.match(await ask(site, '?pulled=1h'), { verdict: 'unknown', active: false, reason: /never/ });
});
