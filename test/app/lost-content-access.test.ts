import t from 'tap';
import { basic, bearer, KEY, probe } from '../helpers/forward-site.ts';
import type { Client } from '../helpers/http1-client.ts';
import {
  CLOUD,
  INNER,
  type LabSite,
  MANIFEST_TYPE,
  manifestOf,
  pushBlob,
  sha256,
  startLabSite,
} from '../helpers/lab-site.ts';
import { takeSnapshot } from '../helpers/store-snapshot.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

const PASSWORD = 'Tr0ub4dor&3';
const ANN = basic('ann', PASSWORD);
const COPY = 'c0py-secret';

/** A primary that sees the clients' own credentials, and has others for copies. */
function start(owner: Owner, mode: 'open' | 'delegate'): Promise<LabSite> {
  const users = [
    { username: 'ann', password: PASSWORD },
    { username: 'robot$probe', password: 'pr0be-secret' },
    { username: 'robot$copy', password: COPY },
  ];
  const replication = { credentials: { username: 'robot$copy', passwordFile: 'x' } };
  return startLabSite(owner, {
    primary: { harbor: true, auth: { scheme: 'bearer', users } },
    harbor: { credentials: 'forward', replication, probe: { ...probe, kind: 'harbor' } },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: {
      secrets: { harbor: { probePassword: 'pr0be-secret', replicationPassword: COPY }, gcr: { password: KEY } },
    },
    route: {
      pull: [
        { upstream: 'harbor', prefix: INNER },
        { upstream: 'gcr', prefix: CLOUD, replicate: true },
      ],
    },
    config: { auth: { mode } },
  });
}

/** A client that shows a token for these actions on `team/app`, or its password. */
async function clientFor({ edge }: LabSite, actions?: string): Promise<Client> {
  const client = edge.http1();
  let authorization = ANN;
  if (actions !== undefined) {
    const query = new URLSearchParams({ service: 'edge.test', scope: `repository:team/app:${actions}` });
    authorization = bearer(await client.ask(`/auth/token?${query}`, { headers: { authorization: ANN } }));
  }
  return {
    ask: (path, options = {}) => client.ask(path, { ...options, headers: { authorization, ...options.headers } }),
    close: () => client.close(),
  } as Client;
}

async function push(site: LabSite, client: Client, tag: string, content: string): Promise<string> {
  const [blob, config] = [Buffer.from(content), Buffer.from(JSON.stringify({ content }))];
  for (const one of [blob, config]) await pushBlob(client, 'team/app', one);
  const body = manifestOf(config, blob);
  const headers = { 'content-type': MANIFEST_TYPE };
  const put = await client.ask(`/v2/team/app/manifests/${tag}`, { method: 'PUT', body, headers });
  if (put.status !== 201) throw new Error(`the push got ${put.status}: ${put.body}`);
  const there = () => site.fallback.store.repository(`${CLOUD}team/app`).tags.get(tag);
  await until(() => there() === sha256(body), { what: () => `team/app:${tag} on the fallback` });
  return sha256(body);
}

t.test("a client that may push gets the primary's own answer, and one that pulls the tag as it was", async (t) => {
  const site = await start(t, 'delegate');
  const [pusher, puller] = [await clientFor(site, 'pull,push'), await clientFor(site, 'pull')];
  const old = await push(site, pusher, '1', 'old');
  const restore = takeSnapshot(site.primary);
  const digests = [await push(site, pusher, '1', 'new'), await push(site, pusher, '2', 'second')];
  restore();
  for (const [tag, digest] of digests.entries()) {
    const pulled = await puller.ask(`/v2/team/app/manifests/${tag + 1}`);
    t.match(pulled, { status: 200, headers: { 'docker-content-digest': digest, 'x-breakwater-upstream': 'gcr' } });
  }
  t.match(await pusher.ask('/v2/team/app/manifests/2', { method: 'HEAD' }), { status: 404 });
  t.match(await pusher.ask('/v2/team/app/manifests/1'), { status: 200, headers: { 'docker-content-digest': old } });
  const blob = sha256(Buffer.from('second'));
  t.match(
    await puller.ask(`/v2/team/app/blobs/${blob}`, { method: 'HEAD' }),
    { status: 404 },
    'so that it is uploaded',
  );
  t.match(await puller.ask(`/v2/team/app/blobs/${blob}`), { status: 200 });
  const again = await push(site, pusher, '2', 'second');
  t.equal(again, digests[1]);
  t.match(await puller.ask('/v2/team/app/manifests/2'), { headers: { 'x-breakwater-upstream': 'harbor' } });
});

t.test("a 404 to a client's own credentials stays one: the primary may be hiding the image", async (t) => {
  const site = await start(t, 'open');
  const ann = await clientFor(site);
  const client = site.edge.http1();
  const challenged = await client.ask('/v2/team/app/manifests/1');
  t.equal(challenged.status, 401);
  const tokenOf = async (actions: string) => {
    const realm = /realm="https?:\/\/[^/]+([^"]+)"/.exec(String(challenged.headers['www-authenticate']))?.[1] ?? '';
    const query = new URLSearchParams({ service: 'harbor-registry', scope: `repository:team/app:${actions}` });
    return bearer(await ann.ask(`${realm}?${query}`));
  };
  const authorization = await tokenOf('pull,push');
  const pusher = {
    ask: (path: string, options: Parameters<Client['ask']>[1] = {}) =>
      client.ask(path, { ...options, headers: { authorization, ...options.headers } }),
  } as Client;
  await push(site, pusher, '0', 'as ever');
  const restore = takeSnapshot(site.primary);
  const lost = [await push(site, pusher, '1', 'one'), await push(site, pusher, '2', 'two')];
  restore();
  t.match(await pusher.ask('/v2/team/app/manifests/2'), { status: 404 });
  await until(() => site.edge.app.status().upstreams.some((one) => one.lost), {
    what: () => 'the edge to look itself',
  });
  const { tags } = site.fallback.store.repository(`${CLOUD}team/app`);
  t.strictSame([tags.get('1'), tags.get('2')], lost);
});
