import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t from 'tap';
import { PEER_VERSION } from '../../src/peer/peer-message.ts';
import { PeerSealer } from '../../src/peer/peer-sealer.ts';
import { registryIdentity } from '../../src/upstream/upstream.ts';
import { type EdgeInProcess, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { type LabSite, startLabSite } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

const KEY = Buffer.from('a secret that both edges of the site have in a file');

function start(owner: Owner): Promise<LabSite> {
  return startLabSite(owner, { settings: { key: KEY }, config: { keyFile: 'x' } });
}

/** The configuration with something else of the primary. */
function changed(config: Record<string, unknown>, harbor: object): Record<string, unknown> {
  const upstreams = config.upstreams as Record<string, object>;
  return { ...config, upstreams: { ...upstreams, harbor: { ...upstreams.harbor, ...harbor } } };
}

/** Registries of the tags that the edge tells a node that has just started. */
async function toldOf(edge: EdgeInProcess): Promise<unknown[]> {
  const box = new PeerSealer([KEY]);
  const nonce = 'nonce-nonce-nonce-nonce';
  const question = await box.seal({
    v: PEER_VERSION,
    kind: 'question',
    nonce: `${nonce}${(Math.random() * 1e9) | 0}`,
    known: {},
  });
  const reply = await edge.http1().ask('/_breakwater/peer', { method: 'POST', body: Buffer.from(question) });
  const answer = await box.openAnswer(reply.body.toString());
  return (answer?.stores.ledger?.entries ?? []).map((entry) => Array.isArray(entry) && entry[0]);
}

/** A URL behind which nothing ever answers. */
async function silent(owner: Owner): Promise<{ url: string; asked: Promise<unknown> }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)));
  owner.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: once(server, 'connection') };
}

t.test(
  'in the middle of a reload to another registry nobody is told that it has the tags of the one before',
  async (t) => {
    const site = await start(t);
    await site.edge.http1().ask('/v2/library/app/manifests/1');
    const [before, next] = [registryIdentity([site.primary.url]), await silent(t)];
    t.same(await toldOf(site.edge), [before]);
    const reloaded = site.edge.reload(changed(site.config, { urls: [next.url] }));
    await next.asked;
    t.same(await toldOf(site.edge), [before]);
    await reloaded;
    t.same(await toldOf(site.edge), []);
  },
);

t.test('a reload forgets the tags of an upstream only if it is another registry now', async (t) => {
  const site = await start(t);
  const tags = () => site.edge.app.status().stores.ledger.tags;
  await site.edge.http1().ask('/v2/library/app/manifests/1');
  t.equal(tags(), 1);
  const same = [{ credentials: 'forward' }, { deadlines: { stall: '6s' } }, { probe: { interval: '3s' } }];
  for (const harbor of same) {
    await site.edge.reload(changed(site.config, harbor));
    t.equal(tags(), 1, JSON.stringify(harbor));
  }
  await site.edge.reload(changed(site.config, { urls: [(await silent(t)).url] }));
  t.equal(tags(), 0, 'urls');
});

t.test('what a reload makes an edge forget, the others tell it again', async (t) => {
  const site = await start(t);
  const peers = [`https://127.0.0.1:${site.edge.port}`];
  const config = { ...site.config, peers };
  const other = await startEdgeInProcess(t, config, { key: KEY, certificate: site.edge.certificate });
  const tags = () => other.app.status().stores.ledger.tags;
  await site.edge.http1().ask('/v2/library/app/manifests/1');
  await until(() => tags() === 1);
  await other.reload(changed(config, { urls: [(await silent(t)).url] }));
  t.equal(tags(), 0);
  await other.reload(config);
  await until(() => tags() === 1, { what: () => JSON.stringify(other.app.status().peers) });
});
