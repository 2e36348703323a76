import t from 'tap';
import { ANN, BEARER, basic, bearer, challengeOf, FORWARD } from '../../helpers/forward-site.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { CLOUD, INNER, type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

// A client asks for a new token at each pull. What the primary has shown to its login stays known, and what it has shown to everybody.

const BOB = basic('bob', 'right');
const APP = '/v2/library/app/manifests/1';
const PUBLIC = '/v2/public/app/manifests/1';

/** A token for a manifest, as clients ask for one. @param login undefined: nobody's */
async function tokenTo(client: Client, path: string, login: string | undefined): Promise<string | undefined> {
  const { realm, service = '' } = challengeOf(await client.ask('/v2/'));
  const repository = /^\/v2\/(.+)\/manifests\//.exec(path)?.[1];
  const query = new URLSearchParams({ service, scope: `repository:${repository}:pull` });
  const headers = login === undefined ? {} : { authorization: login };
  const reply = await client.ask(`${new URL(realm).pathname}?${query}`, { headers });
  return reply.status === 200 ? bearer(reply) : undefined;
}

/** Pulls with a new token. */
async function pull(client: Client, path: string, login: string | undefined): Promise<Reply> {
  return client.ask(path, { headers: { authorization: String(await tokenTo(client, path, login)) } });
}

const from = ({ status, headers }: Reply) => (status === 200 ? headers['x-breakwater-upstream'] : status);

async function start(owner: Owner): Promise<{ site: LabSite; client: Client }> {
  const users = [...(BEARER.users ?? []), { username: 'bob', password: 'right', repositories: [`${INNER}public/`] }];
  const auth = { ...BEARER, users, anonymous: [`${INNER}public/`] };
  const site = await startLabSite(owner, { ...FORWARD, primary: { harbor: true, auth } });
  for (const [registry, prefix] of [
    [site.primary, INNER],
    [site.fallback, CLOUD],
  ] as const)
    registry.seed(`${prefix}public/app`, '1', { blobs: [100] });
  return { site, client: site.edge.http1() };
}

const failing = (site: LabSite) => site.primary.faults.on('errors', { kind: ['manifest', 'blob'], path: /\/app\// });

t.test('a client that pulled before fails over with a new token', async (t) => {
  const { site, client } = await start(t);
  t.equal(from(await pull(client, APP, ANN)), 'harbor');
  await failing(site);
  t.equal(from(await pull(client, APP, ANN)), 'gcr');
  t.equal(from(await pull(client, PUBLIC, ANN)), 503, 'a repository that was not shown to it');
  t.equal(from(await pull(client, APP, BOB)), 401, 'another client');
});

t.test('what is open to everybody was shown to each client', async (t) => {
  const { site, client } = await start(t);
  t.equal(from(await pull(client, PUBLIC, undefined)), 'harbor');
  await failing(site);
  for (const login of [undefined, ANN, BOB]) t.equal(from(await pull(client, PUBLIC, login)), 'gcr');
  t.equal(from(await client.ask(PUBLIC)), 'gcr');
  t.equal(from(await pull(client, APP, ANN)), 503, 'a repository that was shown to nobody');
});

t.test('a reload forgets what was shown only if the upstream changed', async (t) => {
  const { site, client } = await start(t);
  t.equal(from(await pull(client, APP, ANN)), 'harbor');
  await failing(site);
  await site.edge.reload(site.config);
  t.equal(from(await pull(client, APP, ANN)), 'gcr');
  const { upstreams } = site.config as { upstreams: Record<string, object> };
  const harbor = { ...upstreams.harbor, deadlines: { stall: '6s' } };
  await site.edge.reload({ ...site.config, upstreams: { ...upstreams, harbor } });
  t.equal(from(await pull(client, APP, ANN)), 503);
});
