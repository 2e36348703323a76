import t from 'tap';
import { basic, bearer, KEY, probe } from '../../helpers/forward-site.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { CLOUD, INNER, startLabSite } from '../../helpers/lab-site.ts';

const IMAGE = '/v2/library/app/manifests/1?ns=mirrored.test';

function login(client: Client, scope: string): Promise<Reply> {
  const query = new URLSearchParams({ service: 'edge.test', scope });
  return client.ask(`/auth/token?${query}`, { headers: { authorization: basic('eve', 'Tr0ub4dor&3') } });
}

t.test('a repository that is called like a registry opens nothing of that registry', async (t) => {
  // Whoever may make projects in Harbor may call one so.
  const users = [
    { username: 'eve', password: 'Tr0ub4dor&3', repositories: [`${INNER}mirrored.test/`] },
    { username: 'robot$probe', password: 'pr0be-secret' },
  ];
  const pull = (inner: string, cloud: string) => [
    { upstream: 'harbor', prefix: inner },
    { upstream: 'gcr', prefix: cloud },
  ];
  const site = await startLabSite(t, {
    primary: { auth: { scheme: 'bearer', users } },
    harbor: { credentials: 'forward', probe },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
    config: {
      auth: { mode: 'delegate' },
      routes: [
        { prefix: '', push: 'harbor', pull: pull(INNER, CLOUD) },
        { prefix: '', registry: 'mirrored.test', pull: pull('mirror/', 'cloud-mirror/') },
      ],
    },
  });
  site.primary.seed(`${INNER}mirrored.test/library/app`, '1', { blobs: [100] });
  site.primary.seed('mirror/library/app', '1', { blobs: [200] });
  site.fallback.seed('cloud-mirror/library/app', '1', { blobs: [200] });
  const client = site.edge.http1();
  const token = await login(client, 'repository:mirrored.test/library/app:pull');
  const headers = { authorization: bearer(token) };
  t.equal((await client.ask('/v2/mirrored.test/library/app/manifests/1', { headers })).status, 200, 'it is hers');
  t.equal((await client.ask(IMAGE, { headers })).status, 401);
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  t.equal((await client.ask(IMAGE, { headers })).status, 401);
  const now = { authorization: bearer(await login(client, 'repository:mirrored.test/library/app:pull')) };
  t.equal((await client.ask(IMAGE, { headers: now })).status, 401);
});
