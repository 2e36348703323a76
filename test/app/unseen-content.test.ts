import t from 'tap';
import { CLOUD, INNER, type LabSiteOptions } from '../helpers/lab-site.ts';
import { takeSnapshot } from '../helpers/store-snapshot.ts';
import { until } from '../helpers/until.ts';
import { ADMIN_TOKEN, type LostContentSite, startLostContentSite, warnings } from './lost-content-site.ts';

const ANN = `Basic ${Buffer.from('ann:secret of ann').toString('base64')}`;
const PROBE = { probe: { credentials: { username: 'robot', passwordFile: 'x' } } };

/** Harbor gets the clients' own credentials. The account of its probe may read what is named. */
function forwarding(readable: string[] | undefined, harbor: LabSiteOptions['harbor'] = PROBE): LabSiteOptions {
  const robot = { username: 'robot', password: 'secret of robot', ...(readable ? { repositories: readable } : {}) };
  const users = [{ username: 'ann', password: 'secret of ann' }, robot];
  const secrets = { harbor: { probePassword: robot.password } };
  return {
    primary: { auth: { scheme: 'basic', users } },
    harbor: { credentials: 'forward', ...harbor },
    settings: { secrets },
  };
}

/** Copies would need more rights than this account has. */
const UNCOPIED: LabSiteOptions = {
  route: {
    deletions: 'keep',
    pull: [
      { upstream: 'harbor', prefix: INNER },
      { upstream: 'gcr', prefix: CLOUD },
    ],
  },
  config: { replication: {} },
};

const upstream = (site: LostContentSite) => site.lab.edge.app.status().upstreams.find(({ name }) => name === 'harbor');

async function restored(site: LostContentSite, push: 'push' | 'put') {
  await site[push]('team/app:1', 'old');
  const restore = takeSnapshot(site.lab.primary);
  const moved = await site[push]('team/app:1', 'new');
  await site[push]('team/app:2', 'second');
  restore();
  return moved;
}

t.test('where clients use their own credentials, those of the probe find out that content was lost', async (t) => {
  const site = await startLostContentSite(t, forwarding(undefined), ANN);
  const moved = await restored(site, 'push');
  const pulled = await site.pull('team/app:1');
  t.match(pulled, { status: 200, headers: { 'docker-content-digest': moved, 'x-breakwater-upstream': 'gcr' } });
  t.match(warnings(pulled), /harbor has lost content since/);
  t.match(upstream(site), { lost: { pushes: 2 }, unseen: undefined });
});

t.test('what the probe may not read is unknown, and not lost', async (t) => {
  const options = forwarding(['canary', 'inner/other/']);
  const site = await startLostContentSite(t, { ...options, ...UNCOPIED }, ANN);
  t.equal(upstream(site)?.unseen, undefined, 'nothing was pushed');
  await restored(site, 'put');
  await until(() => upstream(site)?.unseen, { what: () => 'a look, though no tag is asked for' });
  t.equal((await site.pull('team/app:1')).status, 200);
  t.match(upstream(site), { lost: undefined, unseen: { reader: 'probe', repositories: ['inner/team/app'] } });
  t.match(site.lab.edge.app.status().headline, {
    level: 'degraded',
    text: /not been known since .* whether harbor still has what was pushed to inner\/team\/app: the account of upstreams\.harbor\.probe\.credentials may not pull it\. Give it that right, or set upstreams\.harbor\.replication\.credentials/,
  });
  const { body } = await site.lab.edge.admin('/metrics', ADMIN_TOKEN);
  t.notMatch(body, /^breakwater_lost_pushes/m, 'it is not said that nothing is lost');
});

t.test('without credentials of the edge it is said that nothing looks', async (t) => {
  const site = await startLostContentSite(t, { ...forwarding([], {}), ...UNCOPIED, canary: false }, ANN);
  await restored(site, 'put');
  t.match(upstream(site), { lost: undefined, unseen: { reader: null, repositories: [] } });
  t.match(site.lab.edge.app.status().headline, {
    level: 'degraded',
    text: /If harbor lost content, this would not be noticed, .* set upstreams\.harbor\.replication\.credentials/,
  });
  const { body } = await site.lab.edge.admin('/metrics', ADMIN_TOKEN);
  t.notMatch(body, /^breakwater_lost_pushes/m);
  t.match(site.lab.edge.log, /"level":40,[^\n]*would not be noticed/);
});
