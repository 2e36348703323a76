import t, { type Test } from 'tap';
import type { LabUser } from '../../src/lab/access.ts';
import { PROBE } from '../helpers/edge-in-process.ts';
import { basic } from '../helpers/forward-site.ts';
import { CLOUD, INNER, type LabSite, type LabSiteOptions, madeUpUser, startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

const DAY = 86_400;
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

interface Robots {
  probe: LabUser;
  copy: LabUser;
}

/** A Harbor with private images and two public ones, a robot for probes and one for copies. */
async function start(
  t: Test,
  more: { robots?: Partial<Record<keyof Robots, Partial<LabUser>>>; site?: LabSiteOptions; lockMs?: number } = {},
) {
  // Harbor takes 1.5 s to refuse an account.
  const { lockMs = 50 } = more;
  const robots: Robots = {
    probe: { username: 'robot$probe', password: 'probe-secret', actions: ['pull'], ...more.robots?.probe },
    copy: { username: 'robot$copy', password: 'copy-secret', actions: ['pull'], ...more.robots?.copy },
  };
  const users = [robots.probe, robots.copy, madeUpUser];
  const account = ({ username }: LabUser) => ({ username, passwordFile: 'secret' });
  const site = await startLabSite(t, {
    primary: { harbor: true, auth: { scheme: 'bearer', users, anonymous: [`${INNER}public/`], lockMs } },
    harbor: {
      credentials: 'forward',
      probe: { kind: 'harbor', credentials: account(robots.probe) },
      replication: { credentials: account(robots.copy) },
    },
    route: {
      pull: [
        { upstream: 'harbor', prefix: INNER },
        { upstream: 'gcr', prefix: CLOUD, replicate: true },
      ],
    },
    config: { replication: { every: '1s' } },
    settings: {
      secrets: {
        harbor: { probePassword: robots.probe.password, replicationPassword: robots.copy.password },
      },
    },
    ...more.site,
  });
  return { site, robots };
}

function fill({ primary }: LabSite): void {
  for (let number = 1; number <= 12; number += 1) primary.seed(`${INNER}team/app${number}`, '1', { blobs: [10] });
  for (const name of ['one', 'two']) primary.seed(`${INNER}public/${name}`, '1', { blobs: [10] });
}

const harborOf = ({ edge }: LabSite) => {
  const harbor = edge.app.status().upstreams.find(({ name }) => name === 'harbor');
  if (!harbor) throw new Error('no harbor');
  return harbor;
};
const accountOf = (site: LabSite, role: string) => harborOf(site).accounts.find((one) => one.role === role);
const good = async ({ edge }: LabSite, account: string) =>
  new RegExp(`^breakwater_credentials_good\\{upstream="harbor",account="${account}"\\} (\\d)$`, 'm').exec(
    (await edge.admin('/metrics')).body,
  )?.[1];

t.test(
  'the probe of a healthy Harbor ends: it stays up, takes pushes, and the edge says whose secret ended',
  async (t) => {
    const { site, robots } = await start(t);
    t.match(harborOf(site), { state: 'up', urls: [{ canary: 'good' }] });
    t.match(accountOf(site, 'probe'), { username: 'robot$probe', state: 'good' });
    t.equal(await good(site, 'probe'), '1');

    robots.probe.expiresAt = inSeconds(-1);
    await until(() => accountOf(site, 'probe')?.state === 'refused');
    await until(() => harborOf(site).urls[0]?.canary === 'none');
    t.match(harborOf(site), { state: 'up', reason: /the probe's credentials are refused/, pushes: { admitted: true } });
    t.equal(await good(site, 'probe'), '0');
    t.equal(await good(site, 'replication'), '1');
    t.match(site.edge.log, /"account":"probe".*refuses the edge's credentials/);
    const { headline } = site.edge.app.status();
    t.match(headline, { level: 'degraded', text: /harbor has refused the probe's credentials \(robot\$probe\) since/ });
    const authorization = basic(madeUpUser.username, madeUpUser.password);
    const client = site.edge.http1();
    const begun = await client.ask('/v2/team/new/blobs/uploads/', { method: 'POST', headers: { authorization } });
    t.equal(begun.status, 202, String(begun.body));
    const pulled = await client.ask('/v2/library/app/manifests/1', { headers: { authorization } });
    t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });

    robots.probe.expiresAt = -1;
    await until(() => harborOf(site).urls[0]?.canary === 'good');
    t.match(accountOf(site, 'probe'), { state: 'good' });
  },
);

t.test('a public canary is read without the robot', async (t) => {
  const { site, robots } = await start(t, {
    site: {
      primary: { harbor: true, auth: { scheme: 'bearer', users: [], anonymous: ['canary', `${INNER}public/`] } },
    },
  });
  t.ok(robots);
  await until(() => accountOf(site, 'probe')?.state === 'refused');
  const probedAt = harborOf(site).urls[0]?.lastProbeAt;
  const isLater = () =>
    (harborOf(site).urls[0]?.lastProbeAt ?? '') > new Date(Date.parse(probedAt ?? '') + 500).toISOString();
  await until(() => isLater() && harborOf(site).urls[0]?.canary === 'good');
  await site.primary.faults.on('storageGone');
  await site.edge.upstream('harbor', 'down');
  t.pass('and an outage is still noticed');
});

t.test('without its database Harbor refuses every robot: none of them has ended', async (t) => {
  const { site } = await start(t, { site: { harbor: harborWith(PROBE) } });
  await site.primary.faults.on('emptyChallenge401');
  await site.edge.upstream('harbor', 'down');
  const asked = site.primary.requests.length;
  await until(() => site.primary.requests.length > asked + 60);
  t.match(accountOf(site, 'probe'), { state: 'good' });
  t.match(accountOf(site, 'replication'), { state: 'good' });
});

function harborWith(probe: object) {
  const credentials = { username: 'robot$probe', passwordFile: 'secret' };
  return {
    credentials: 'forward',
    probe: { ...probe, kind: 'harbor', credentials },
    replication: { credentials: { username: 'robot$copy', passwordFile: 'secret' } },
  };
}

const coverage = async ({ edge }: LabSite) => JSON.parse((await edge.admin('/api/coverage')).body);

t.test('the robot of copies ends: coverage is unknown, and not that of the public repositories', async (t) => {
  const { site, robots } = await start(t);
  fill(site);
  await until(
    async () => (await coverage(site)).verdict === 'covered' && (await coverage(site)).routes[0].references === 15,
  );
  robots.copy.expiresAt = inSeconds(-1);
  const report = await until(async () => {
    const now = await coverage(site);
    return now.routes[0].failed === null ? undefined : now;
  });
  t.match(report, {
    verdict: 'unknown',
    routes: [{ references: 15, failed: /harbor does not accept the credentials for copies/ }],
  });
  await until(() => accountOf(site, 'replication')?.state === 'refused');
  t.equal(await good(site, 'replication'), '0');
  t.match(site.edge.app.status().headline.text, /refused the credentials of copies \(robot\$copy\)/);
});

for (const [name, role, site] of [
  ['of its own', 'copy', {}],
  [
    'of the probe',
    'probe',
    {
      harbor: {
        credentials: 'forward',
        probe: { kind: 'harbor', credentials: { username: 'robot$probe', passwordFile: 'secret' } },
      },
      settings: { secrets: { harbor: { probePassword: 'probe-secret' } } },
    },
  ],
] as const)
  t.test(`copies with an account ${name} that ends between two comparisons: coverage is unknown at once`, async (t) => {
    const { site: one, robots } = await start(t, { site: { config: { replication: { every: '1h' } }, ...site } });
    const verdict = async () => (await coverage(one)).verdict;
    await until(async () => (await verdict()) === 'covered');
    robots[role].expiresAt = inSeconds(-1);
    await until(async () => (await verdict()) === 'unknown');
    t.match(await coverage(one), { routes: [{ failed: /harbor does not accept the credentials for copies/ }] });
    robots[role].expiresAt = -1;
    await until(async () => (await verdict()) === 'covered');
  });

t.test('the same at an edge that starts with an ended robot', async (t) => {
  const { site } = await start(t, { robots: { copy: { expiresAt: inSeconds(-1) } } });
  fill(site);
  const report = await until(async () => {
    const now = await coverage(site);
    return now.routes[0].failed === null ? undefined : now;
  });
  t.match(report, { verdict: 'unknown', routes: [{ references: 0 }] });
});

t.test(
  'a robot that loses rights sees fewer repositories: that is unknown too, while a deletion is believed',
  async (t) => {
    const { site, robots } = await start(t);
    fill(site);
    await until(async () => (await coverage(site)).routes[0].references === 15);
    robots.copy.repositories = [`${INNER}team/app1`];
    const report = await until(async () => {
      const now = await coverage(site);
      return now.routes[0].failed === null ? undefined : now;
    });
    t.match(report, {
      verdict: 'unknown',
      routes: [{ references: 15, failed: /lists 12 of 15 known repositories no more, such as/ }],
    });
    delete robots.copy.repositories;
    await until(async () => (await coverage(site)).routes[0].failed === null);
    for (let number = 1; number <= 5; number += 1) site.primary.store.repositories.delete(`${INNER}team/app${number}`);
    await until(async () => (await coverage(site)).routes[0].references === 10);
    t.match(await coverage(site), { routes: [{ failed: null }] });
  },
);

t.test('an end that is near is told beforehand', async (t) => {
  const ends = inSeconds(5 * DAY + 3600);
  const { site } = await start(t, {
    robots: { copy: { expiresAt: ends, readsRobots: true }, probe: { expiresAt: inSeconds(5 * DAY) } },
  });
  await until(() => accountOf(site, 'replication')?.expires != null);
  t.equal(accountOf(site, 'replication')?.expires?.slice(0, 16), new Date(ends * 1000).toISOString().slice(0, 16));
  t.equal(accountOf(site, 'probe')?.expires, null, 'a robot that may not list robots is not told');
  const { headline } = site.edge.app.status();
  t.match(headline, {
    level: 'degraded',
    text: /The account robot\$copy at harbor .* ends on .* \(in 5 days\)\. Renew it\./,
  });
  t.match(
    (await site.edge.admin('/metrics')).body,
    new RegExp(`credentials_expiry_seconds\\{upstream="harbor",account="replication"\\} ${String(ends).slice(0, 7)}`),
  );
  t.match(site.edge.log, /"account":"replication".*end soon/);
});

t.test('an edge that starts after the probe ended: Harbor is up from the first moment', async (t) => {
  const { site } = await start(t, {
    robots: { probe: { expiresAt: inSeconds(-1) } },
    // As by default: a probe has less time than Harbor takes to refuse an account.
    lockMs: 1500,
    site: { harbor: harborWith({ timeout: '1s' }) },
  });
  t.match(harborOf(site), { state: 'up', pushes: { admitted: true }, urls: [{ canary: 'none' }] });
  t.match(accountOf(site, 'probe'), { state: 'refused' });
  t.notMatch(site.edge.log, /"to":"down"/);
});

t.test('what one client cannot read makes probes book no pulls', async (t) => {
  const { site } = await start(t);
  await until(() => harborOf(site).urls[0]?.canary === 'good');
  await site.primary.faults.on('errors', { path: 'library/app/', status: 500 });
  const authorization = basic(madeUpUser.username, madeUpUser.password);
  const client = site.edge.http1();
  await client.ask('/v2/library/app/manifests/1', { headers: { authorization } });
  site.primary.forget();
  await until(() => site.primary.requests.filter(({ kind }) => kind === 'blob').length > 20);
  t.same(site.primary.auditLog, []);
});

t.test('probes make no row in the audit log of Harbor', async (t) => {
  const { site } = await start(t);
  await until(() => harborOf(site).urls[0]?.canary === 'good');
  site.primary.forget();
  await until(() => site.primary.requests.filter(({ kind }) => kind === 'blob').length > 20);
  t.same(site.primary.auditLog, []);
});
