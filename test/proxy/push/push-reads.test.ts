import t from 'tap';
import { RARE_PROBE } from '../../helpers/edge-in-process.ts';
import { basic, bearer, KEY, probe } from '../../helpers/forward-site.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { CLOUD, codeOf, INNER, type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

// A client that is pushing asks what is there already, and skips it (facts: the first trap by damage).

const ANN = basic('ann', 'Tr0ub4dor&3');
const USERS = [
  { username: 'ann', password: 'Tr0ub4dor&3' },
  { username: 'robot$probe', password: 'pr0be-secret' },
];

function start(owner: Owner, more: { probe?: object; config?: object } = {}): Promise<LabSite> {
  return startLabSite(owner, {
    primary: { harbor: true, auth: { scheme: 'bearer', users: USERS } },
    harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor', ...more.probe } },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
    route: { onAbsent: 'next' },
    config: { auth: { mode: 'delegate' }, ...more.config },
  });
}

/** Asks with a token for these actions on a repository. */
async function as(client: Client, repository: string, actions: string) {
  const scope = `repository:${repository}:${actions}`;
  const query = new URLSearchParams({ service: 'edge.test', scope });
  const token = await client.ask(`/auth/token?${query}`, { headers: { authorization: ANN } });
  const headers = { authorization: bearer(token) };
  return (path: string, method = 'GET'): Promise<Reply> => client.ask(`/v2/${repository}/${path}`, { method, headers });
}

t.test('a push token sees only the blobs of the primary', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  // The repository is there, as far as tokens that say nothing can tell; the image is not.
  site.primary.seed(`${INNER}library/only`, 'other', { blobs: [70] });
  const only = site.fallback.seed(`${CLOUD}library/only`, '1', { blobs: [500] });
  const [pulling, pushing] = [await as(client, 'library/only', 'pull'), await as(client, 'library/only', 'pull,push')];
  const paths = ['manifests/1', `manifests/${only.digest}`, `blobs/${only.blobDigests[0]}`];
  for (const path of paths) {
    for (const method of ['GET', 'HEAD']) {
      const blobHead = method === 'HEAD' && path.startsWith('blobs');
      t.equal((await pulling(path, method)).status, blobHead ? 404 : 200, `${method} ${path}: a pull`);
      t.equal((await pushing(path, method)).status, 404, `${method} ${path}: a push`);
    }
  }
  const other = await as(client, 'library/app', 'pull,push');
  t.match(await other('manifests/1'), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
});

t.test('a push token does not see manifests that were just deleted', async (t) => {
  const site = await start(t, { config: { manifests: { tagFreshness: '1m' } } });
  const client = site.edge.http1();
  site.fallback.forget();
  const { digest } = site.image;
  const [pulling, pushing] = [await as(client, 'library/app', 'pull'), await as(client, 'library/app', 'pull,push')];
  for (const path of ['manifests/1', `manifests/${digest}`]) {
    t.equal((await pulling(path)).status, 200);
    t.equal((await pushing(path)).status, 200);
  }
  const gone = await fetch(`${site.primary.url}/v2/${INNER}library/app/manifests/${digest}`, {
    method: 'DELETE',
    headers: { authorization: ANN },
  });
  t.equal(gone.status, 202);
  t.equal((await pulling(`manifests/${digest}`)).status, 200, 'a pull is served out of memory');
  for (const path of ['manifests/1', `manifests/${digest}`])
    for (const method of ['HEAD', 'GET']) t.equal((await pushing(path, method)).status, 404, `${method} ${path}`);
});

t.test(
  'while the primary takes no pushes the others may answer, and the push is refused with the reason',
  async (t) => {
    const site = await start(t);
    const client = site.edge.http1();
    const pushing = await as(client, 'library/app', 'pull,push');
    await site.primary.faults.on('down');
    await site.edge.upstream('harbor', 'down');
    t.match(await pushing('manifests/1', 'HEAD'), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    const post = await pushing('blobs/uploads/', 'POST');
    t.match({ status: post.status, code: codeOf(post) }, { status: 403, code: 'DENIED' });
  },
);

t.test('also at the very first moment of an outage', async (t) => {
  const site = await start(t, { probe: RARE_PROBE });
  const client = site.edge.http1();
  const pushing = await as(client, 'library/app', 'pull,push');
  await site.primary.faults.on('down');
  for (const path of ['manifests/1', `blobs/${site.blob()}`])
    for (const method of ['HEAD', 'GET'])
      t.match(
        await pushing(path, method),
        { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } },
        `${method} ${path}`,
      );
});

t.test('a primary that only fails this read is not passed over', async (t) => {
  const site = await start(t);
  const client = site.edge.http1();
  const [pulling, pushing] = [await as(client, 'library/app', 'pull'), await as(client, 'library/app', 'pull,push')];
  await site.primary.faults.on('errors', { path: 'library/app/manifests', status: 500 });
  t.match(await pulling('manifests/1'), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.equal((await pushing('manifests/1')).status, 503);
});
