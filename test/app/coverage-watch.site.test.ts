import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { CoverageReport } from '../../src/replication/coverage/report.ts';
import { tryCommand } from '../helpers/command.ts';
import { CLOUD, INNER, type LabSite, MANIFEST_TYPE, manifestOf, pushBlob, startLabSite } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

const BIN = fileURLToPath(new URL('../../bin/breakwater', import.meta.url));

async function start(owner: Owner, replication: Record<string, unknown> = {}): Promise<LabSite> {
  const pull = [
    { upstream: 'harbor', prefix: INNER },
    { upstream: 'gcr', prefix: CLOUD, replicate: true },
  ];
  // Without the watch, nothing but a hint would tell of a change for an hour.
  const site = await startLabSite(owner, {
    route: { pull },
    config: { replication: { every: '1h', watch: '1s', ...replication } },
  });
  await until(() => /compared the two upstreams/.test(site.edge.log));
  return site;
}

async function ask(site: LabSite, query = ''): Promise<CoverageReport> {
  const { body } = await site.edge.admin(`/api/coverage${query}`);
  return JSON.parse(body) as CoverageReport;
}

/** On a busy machine a list of all repositories takes long, and the next one waits ten times as long. */
const PATIENCE = { timeout: 60_000 };
const tagsOf = (site: LabSite, repository: string) => site.fallback.store.repository(`${CLOUD}${repository}`).tags;

t.test('tags that were pushed past the edge are found without a hook, and copied', async (t) => {
  const site = await start(t);
  for (let number = 0; number < 20; number += 1)
    site.primary.seed(`${INNER}library/past`, `p${number}`, { blobs: [100 + number] });
  site.primary.seed(`${INNER}library/app`, '2', { blobs: [99] });
  await until(() => tagsOf(site, 'library/past').size === 20 && tagsOf(site, 'library/app').has('2'), PATIENCE);
  const report = await until(async () => {
    const now = await ask(site);
    return now.verdict === 'covered' && now.routes[0]?.unknown === 0 && now;
  });
  t.match(report.routes, [{ references: 22, covered: 22, ratio: 1 }]);
  t.equal(site.edge.log.split('compared the two upstreams').length - 1, 1, 'no whole comparison was needed');
});

t.test('a pulled tag that moved past the edge is found', async (t) => {
  const site = await start(t);
  await site.edge.http1().ask('/v2/library/app/manifests/1');
  const { digest } = site.primary.seed(`${INNER}library/app`, '1', { blobs: [4321] });
  await until(() => tagsOf(site, 'library/app').get('1') === digest);
  await until(async () => (await ask(site, '?pulled=1h')).verdict === 'covered');
});

t.test('what cannot be copied is a gap by name: exit status 1, and the headline', async (t) => {
  const site = await start(t);
  const broken = site.primary.seed(`${INNER}library/past`, '1', { blobs: [100] });
  site.primary.store.removeBlob(`${INNER}library/past`, broken.blobDigests[0] ?? '');
  const report = await until(async () => {
    const now = await ask(site);
    return now.verdict === 'incomplete' && now;
  }, PATIENCE);
  t.match(report.routes, [
    { references: 2, missing: 1, stale: 0, worst: [{ repository: 'library/past', gaps: [{ state: 'missing' }] }] },
  ]);
  const { port } = site.edge.app.addresses().admin;
  const shown = await tryCommand(BIN, ['coverage', '--admin', `http://127.0.0.1:${port}`]);
  t.match(shown, { status: 1, stdout: /^If harbor died now, 1 of 2 tags could not be pulled/ });
  t.match(site.edge.app.status().headline, { level: 'degraded', text: /1 of 2 tags could not be pulled/ });
});

t.test('nothing is looked at while an upstream is down, and nothing can be pulled while both are', async (t) => {
  const site = await start(t);
  await site.primary.faults.on('frozen');
  await site.edge.upstream('harbor', 'down');
  t.match((await ask(site)).routes, [{ covered: 1, ratio: 1, sourceState: 'down' }]);
  await site.fallback.faults.on('down');
  await site.edge.upstream('gcr', 'down');
  t.match(await ask(site), { verdict: 'incomplete', routes: [{ references: 1, covered: 0, ratio: 0 }] });
  const { body } = await site.edge.admin('/metrics');
  t.match(body, 'breakwater_coverage_ratio{route="*",target="gcr"} 0\n');
  t.match(
    site.edge.app.status().headline.text,
    /While harbor and gcr are down, nothing of what was copied can be pulled/,
  );
});

t.test('a pull that failed because the fallback lacks the image is a gap by name', async (t) => {
  const site = await start(t, { watch: '1h' });
  const { digest } = site.primary.seed(`${INNER}library/past`, 'p5', { blobs: [100] });
  const old = site.primary.seed(`${INNER}library/past`, 'p6', { blobs: [200] }).digest;
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  const client = site.edge.http1();
  const names = [
    'past/manifests/p5',
    `past/manifests/${old}`,
    'none/manifests/1',
    `app/manifests/sha256-${'a'.repeat(64)}`,
  ];
  for (const name of names) t.equal((await client.ask(`/v2/library/${name}`)).status, 503);
  t.equal((await client.ask(`/v2/library/${names[0]}`, { method: 'HEAD' })).status, 503);
  t.equal((await client.ask('/v2/library/app/manifests/1')).status, 200);
  const report = await ask(site);
  t.match(report, { verdict: 'incomplete', routes: [{ references: 4, missing: 3, covered: 1 }] });
  const gaps = report.routes.flatMap(({ worst }) => worst.flatMap((one) => one.gaps.map((gap) => gap.reference)));
  t.strictSame(gaps.toSorted(), ['1', 'p5', old].toSorted(), 'no tag of signatures, which most images do not have');
  t.match(site.edge.app.status().headline.text, /While harbor is down, 3 of 4 tags cannot be pulled: library\//);
  await site.primary.faults.off();
  await until(() => tagsOf(site, 'library/past').get('p5') === digest, PATIENCE);
  await until(async () => (await ask(site)).verdict === 'covered', PATIENCE);
  t.match((await ask(site)).routes, [{ references: 2, missing: 0 }], 'what the primary does not have is no gap');
  t.ok(site.fallback.store.manifest(`${CLOUD}library/past`, old));
});

t.test(
  'what is pushed through the edge counts at once, and is neither missing nor stale while it is being copied',
  async (t) => {
    const site = await start(t, { watch: '1h' });
    const client = site.edge.http1();
    const push = async (tag: string) => {
      const [blob, config] = [Buffer.from(tag), Buffer.from('{}')];
      for (const one of [blob, config]) await pushBlob(client, 'library/app', one);
      const headers = { 'content-type': MANIFEST_TYPE };
      const body = manifestOf(config, blob);
      return client.ask(`/v2/library/app/manifests/${tag}`, { method: 'PUT', body, headers });
    };
    await site.fallback.faults.on('errors', { status: 500, kind: ['upload'] });
    for (let number = 0; number < 3; number += 1) t.equal((await push(`v${number}`)).status, 201);
    // A tag that is pushed again is no new one.
    await push('v0');
    const young = { verdict: 'covered', routes: [{ references: 4, covered: 1, missing: 0, stale: 0, unknown: 3 }] };
    t.match(await ask(site), young);
    t.equal((await ask(site, '?grace=1h')).verdict, 'covered');
    const { port } = site.edge.app.addresses().admin;
    const admin = ['--admin', `http://127.0.0.1:${port}`];
    const shown = await tryCommand(BIN, ['coverage', ...admin]);
    t.match(shown, { status: 0, stdout: /1 of 4 tags could be pulled; being copied: 3, oldest \d+ s\.\n/ });
    t.equal((await tryCommand(BIN, ['coverage', '--grace', '1s', ...admin])).status, 1);
  },
);
