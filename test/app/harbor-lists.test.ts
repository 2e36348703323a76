import t from 'tap';
import { CLOUD, INNER, startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

const COPY = { username: 'robot$copy', password: 'c0py-secret' };
const PROBE = { username: 'robot$probe', password: 'pr0be-secret' };

t.test('a Harbor is compared by its own lists, with the credentials of copies', async (t) => {
  const site = await startLabSite(t, {
    primary: { harbor: true, auth: { scheme: 'bearer', users: [COPY, PROBE] } },
    harbor: {
      credentials: 'forward',
      replication: { credentials: { username: COPY.username, passwordFile: 'x' } },
      probe: { kind: 'harbor', credentials: { username: PROBE.username, passwordFile: 'x' } },
    },
    route: {
      pull: [
        { upstream: 'harbor', prefix: INNER },
        { upstream: 'gcr', prefix: CLOUD, replicate: true },
      ],
    },
    settings: { secrets: { harbor: { probePassword: PROBE.password, replicationPassword: COPY.password } } },
    config: { replication: { every: '1s' } },
  });
  for (const tag of ['1', '2', '3']) site.primary.seed(`${INNER}team/app`, tag, { blobs: [Number(tag) * 100] });
  const there = site.fallback.store.repository(`${CLOUD}team/app`).tags;
  const copying = () => site.edge.app.status().replication?.queue;
  await until(() => there.size === 3 && copying()?.running === 0 && copying()?.waiting === 0);
  site.primary.forget();
  await until(() => site.primary.requests.filter(({ url }) => url.startsWith('/api/v2.0/repositories')).length > 1);
  const basic = `Basic ${Buffer.from(`${COPY.username}:${COPY.password}`).toString('base64')}`;
  const lists = site.primary.requests.filter(({ url }) => /repositories/.test(url));
  t.ok(lists.some(({ url }) => url.includes('/artifacts?')));
  t.strictSame([...new Set(lists.map(({ headers }) => headers.authorization))], [basic]);
  t.strictSame(
    site.primary.requests.filter(({ kind }) => kind === 'catalog'),
    [],
  );
  const heads = site.primary.requests.filter(({ kind, url }) => kind === 'manifest' && url.includes('team/app'));
  t.strictSame(heads, [], 'no HEAD of a tag');
  t.notMatch(site.edge.log, /c0py-secret|pr0be-secret/);
});
