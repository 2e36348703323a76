import t from 'tap';
import type { LabAuth } from '../../../src/lab/access.ts';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { basic, bearer, KEY, probe } from '../../helpers/forward-site.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { clientRequests, INNER, type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

// What a token opens is what the primary of its time granted, whatever a reload makes of upstreams and routes.

const ANN = basic('ann', 'Tr0ub4dor&3');
const USERS: LabAuth['users'] = [
  { username: 'ann', password: 'Tr0ub4dor&3', repositories: [`${INNER}library/`] },
  { username: 'robot$probe', password: 'pr0be-secret' },
];
const MANIFEST = '/v2/library/app/manifests/1';

function start(owner: Owner, scheme: LabAuth['scheme'], route = {}): Promise<LabSite> {
  return startLabSite(owner, {
    primary: { auth: { scheme, users: USERS } },
    harbor: { credentials: 'forward', probe },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
    config: { auth: { mode: 'delegate' } },
    route,
  });
}

function login(client: Client, more: Record<string, string> = {}): Promise<Reply> {
  const query = new URLSearchParams({ service: 'edge.test', scope: 'repository:library/app:pull', ...more });
  return client.ask(`/auth/token?${query}`, { headers: { authorization: ANN } });
}

const pullOf = (client: Client, token: Reply) => client.ask(MANIFEST, { headers: { authorization: bearer(token) } });

/** The configuration with other URLs of the primary. */
function at(site: LabSite, ...urls: string[]): Record<string, unknown> {
  const upstreams = site.config.upstreams as Record<string, object>;
  return { ...site.config, upstreams: { ...upstreams, harbor: { ...upstreams.harbor, urls } } };
}

for (const scheme of ['basic', 'bearer'] as const)
  t.test(
    `another primary, by ${scheme}: it is shown nothing that was for the one before, and its outage opens nothing`,
    async (t) => {
      const site = await start(t, scheme);
      const [client, probing] = [site.edge.http1(), { username: 'robot$probe', password: 'pr0be-secret' }];
      const token = await login(client, { offline_token: 'true' });
      t.equal((await pullOf(client, token)).status, 200);
      const next = await startLabRegistry({ auth: { scheme, users: [probing] } });
      t.teardown(() => next.close());
      next.seed('canary', 'latest', { blobs: [64] });
      await site.edge.reload(at(site, next.url));
      await site.edge.upstream('harbor', 'up');

      const refused = await pullOf(client, token);
      t.equal(refused.status, 401);
      t.match(refused.headers['www-authenticate'], /error="invalid_token"/);
      const body = new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: JSON.parse(token.body.toString()).refresh_token,
        service: 'edge.test',
        scope: 'repository:library/app:pull',
      });
      const refresh = () => client.ask('/auth/token', { method: 'POST', body: Buffer.from(`${body}`) });
      t.equal((await refresh()).status, 401);
      t.same(
        clientRequests(next)
          .flatMap(({ headers }) => headers.authorization ?? [])
          .filter((one) => one !== basic('robot$probe', 'pr0be-secret') && !one.startsWith('Bearer')),
        [],
      );

      await next.faults.on('down');
      await site.edge.upstream('harbor', 'down');
      t.equal((await pullOf(client, token)).status, 401);
      t.equal((await refresh()).status, 401);
      t.same(
        clientRequests(site.fallback).filter(({ url }) => url.includes('library')),
        [],
      );
    },
  );

t.test('adding or removing a URL of the primary keeps all grants', async (t) => {
  const site = await start(t, 'bearer');
  const client = site.edge.http1();
  const token = await login(client);
  const other = `http://localhost:${site.primary.port}`;
  await site.edge.reload(at(site, site.primary.url, other));
  t.equal((await pullOf(client, token)).status, 200);
  const second = await login(client);
  await site.edge.reload(at(site, other));
  t.equal((await pullOf(client, second)).status, 200);
});

t.test('an earlier grant does not open a route that now leads elsewhere', async (t) => {
  const site = await start(t, 'bearer');
  site.primary.seed('secret/library/app', '1', { blobs: [100] });
  site.fallback.seed('cloud-secret/library/app', '1', { blobs: [100] });
  const client = site.edge.http1();
  const token = await login(client);
  const pull = [
    { upstream: 'harbor', prefix: 'secret/' },
    { upstream: 'gcr', prefix: 'cloud-secret/' },
  ];
  await site.edge.reload({ ...site.config, routes: [{ prefix: '', push: 'harbor', pull }] });
  t.equal((await pullOf(client, token)).status, 401);
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  t.equal((await pullOf(client, token)).status, 401);
});
