import t from 'tap';
import { basic, bearer } from '../../helpers/forward-site.ts';
import { ANN, startHarborUsers } from '../../helpers/harbor-users.ts';
import type { Reply } from '../../helpers/http1-client.ts';
import { CLOUD, clientRequests, INNER } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

const PUBLIC = 'repository:public/app:pull';
const PRIVATE = 'repository:library/app:pull';
const IMAGE = { blobs: [100] };
const pathOf = (repository: string) => `/v2/${repository}/manifests/1`;

/** A Harbor with a public project, as clients without credentials see it through the edge. */
async function start(owner: Owner) {
  const anonymous = [`${INNER}public/`];
  const harbor = await startHarborUsers(owner, { lab: { anonymous } });
  const { site, client } = harbor;
  for (const name of ['public/app', 'public/other']) {
    site.primary.seed(INNER + name, '1', IMAGE);
    site.fallback.seed(CLOUD + name, '1', IMAGE);
  }
  const ask = (scope: string) =>
    client.ask(`/auth/token?${new URLSearchParams({ service: 'edge.test', ...(scope === '' ? {} : { scope }) })}`);
  const send = (token: Reply, path: string, method = 'GET') =>
    client.ask(path, { method, headers: { authorization: bearer(token) } });
  /** As clients do. @returns the status of what failed, or where the manifest came from */
  const pull = async (repository: string): Promise<string | number> => {
    const token = await ask(`repository:${repository}:pull`);
    if (token.status !== 200) return token.status;
    const reply = await send(token, pathOf(repository));
    return reply.status === 200 ? String(reply.headers['x-breakwater-upstream']) : reply.status;
  };
  return { ...harbor, anonymous, ask, send, pull };
}

t.test('what Harbor opens to everybody needs no login at the edge, and nothing else is open', async (t) => {
  const { site, client, ask, send } = await start(t);
  const rows: [scope: string, status: number][] = [
    [PUBLIC, 200],
    ['repository:public/app:pull,push', 200],
    [`${PUBLIC} ${PRIVATE}`, 200],
    ['repository:public/app:push', 401],
    [PRIVATE, 401],
    ['registry:catalog:*', 401],
    ['repository:../public/app:pull', 401],
    ['', 401],
  ];
  for (const [scope, status] of rows) {
    const token = await ask(scope);
    t.equal(token.status, status, scope);
    if (status !== 200) continue;
    t.match(JSON.parse(token.body.toString()), { refresh_token: undefined });
    const seen: [method: string, path: string, status: number][] = [
      ['GET', '/v2/', 200],
      ['GET', pathOf('public/app'), 200],
      ['HEAD', pathOf('public/app'), 200],
      ['GET', pathOf('public/other'), 401],
      ['GET', pathOf('library/app'), 401],
      ['POST', '/v2/public/app/blobs/uploads/', 401],
      ['DELETE', pathOf('public/app'), 401],
      ['GET', '/v2/_catalog', 401],
    ];
    for (const [method, path, expected] of seen)
      t.equal((await send(token, path, method)).status, expected, `${scope}: ${method} ${path}`);
  }
  t.equal((await client.ask(pathOf('public/app'))).status, 401, 'a client learns where to get a token');
  t.notOk(
    clientRequests(site.fallback).some(({ kind }) => kind !== 'token'),
    'the fallback shows nothing meanwhile',
  );
  t.equal(site.primary.writes, 0);
});

t.test('what was open to everybody is remembered for an outage, and nothing else', async (t) => {
  const { site, pull, login, send } = await start(t);
  t.equal(await pull('public/app'), 'harbor');
  t.equal(await pull('public/made-up'), 404, 'Harbor opens any name in a public project');
  t.equal((await login(ANN)).status, 200);
  for (const fault of ['databaseDown', 'down'] as const) {
    await site.primary.faults.on(fault);
    if (fault === 'down') await site.edge.upstream('harbor', 'down');
    t.equal(await pull('public/app'), 'gcr', fault);
    for (const user of [ANN, basic('eve', 'never seen')]) {
      const { headers } = await send(await login(user, PUBLIC), pathOf('public/app'));
      t.equal(headers['x-breakwater-upstream'], 'gcr', `${fault}: it is open to every user too`);
    }
    t.equal((await login(basic('eve', 'never seen'), PRIVATE)).status, 503);
    for (const other of ['public/other', 'public/made-up', 'library/app'])
      t.equal(await pull(other), 503, `${fault}: ${other}`);
    await site.primary.faults.off();
    await site.edge.upstream('harbor', 'up');
  }
  t.equal(await pull('public/app'), 'harbor');
});

t.test('a project that is closed is forgotten on the word of a well Harbor', async (t) => {
  const { site, anonymous, ask, send, pull } = await start(t);
  t.equal(await pull('public/app'), 'harbor');
  const token = await ask(PUBLIC);
  anonymous.length = 0;
  t.equal(await pull('public/app'), 401);
  await site.primary.faults.on('databaseDown');
  t.equal(await pull('public/app'), 503, 'nor does the fallback show it');
  await site.primary.faults.off();
  t.equal((await send(token, pathOf('public/other'))).status, 401);
});
