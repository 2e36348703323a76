import { once } from 'node:events';
import { connect, constants } from 'node:http2';
import t from 'tap';
import { type EdgeInProcess, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { basic, bearer, KEY, probe } from '../helpers/forward-site.ts';
import type { Client, Reply } from '../helpers/http1-client.ts';
import { INNER, type LabSite, startLabSite } from '../helpers/lab-site.ts';
import { RawConnection } from '../helpers/raw-connection.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

const SHARED = Buffer.from('a secret that both edges of the site have in a file');
const PASSWORD = 'Tr0ub4dor&3';
const ANN = basic('ann', PASSWORD);
const MANIFEST = '/v2/library/app/manifests/1';

interface Pair {
  /** As the primary knows her. */
  ann: { username: string; password: string };
  site: LabSite;
  first: EdgeInProcess;
  /** Another edge before the same registries, that knows of the first. */
  second: () => Promise<EdgeInProcess>;
}

async function start(owner: Owner, config: object = {}, key = SHARED): Promise<Pair> {
  const ann = { username: 'ann', password: PASSWORD };
  const users = [ann, { username: 'robot$probe', password: 'pr0be-secret' }];
  const secrets = { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } };
  const site = await startLabSite(owner, {
    primary: { harbor: true, auth: { scheme: 'bearer', users } },
    harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor' } },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { key: SHARED, secrets },
    config: { auth: { mode: 'delegate' }, keyFile: 'x', ...config },
  });
  const second = () => {
    const peers = [`https://127.0.0.1:${site.edge.port}`];
    return startEdgeInProcess(owner, { ...site.config, peers }, { key, secrets, certificate: site.edge.certificate });
  };
  return { ann, site, first: site.edge, second };
}

function login(client: Client, authorization = ANN): Promise<Reply> {
  const query = new URLSearchParams({ service: 'edge.test', scope: 'repository:library/app:pull' });
  return client.ask(`/auth/token?${query}`, { headers: { authorization } });
}

function pull(client: Client, token: Reply): Promise<Reply> {
  return client.ask(MANIFEST, { headers: { authorization: bearer(token) } });
}

/** Once the edge has asked its peer again, after what was done until now. */
async function heardAgain({ app }: EdgeInProcess): Promise<void> {
  const heardAt = () => Date.parse(app.status().peers[0]?.heardAt ?? '');
  const before = Date.now();
  await until(() => heardAt() > before, { what: () => JSON.stringify(app.status().peers) });
}

t.test('what one edge learns the other knows, when the primary is gone and the clients move', async (t) => {
  const { site, first, second } = await start(t);
  const other = await second();
  t.match(other.app.status().peers, [{ state: 'in-step' }], 'it asked before it served');
  t.equal((await pull(first.http1(), await login(first.http1()))).status, 200);
  await heardAgain(other);
  const [peer] = other.app.status().peers;
  t.ok((peer?.entries ?? 0) >= 3, 'a password, a repository and a tag');

  await site.primary.faults.on('down');
  await other.upstream('harbor', 'down');
  const client = other.http1();
  const token = await login(client);
  t.equal(token.status, 200, 'who logged in there can here');
  const pulled = await pull(client, token);
  t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.equal((await login(client, basic('ann', 'guess'))).status, 503, 'and nobody else');
  t.notMatch(first.log + other.log, /Tr0ub4dor|pr0be-secret/);
});

t.test('an edge that starts in the middle of an outage asks the one that was there', async (t) => {
  const { site, first, second } = await start(t);
  t.equal((await login(first.http1())).status, 200);
  await site.primary.faults.on('down');
  const other = await second();
  const client = other.http1();
  t.equal((await pull(client, await login(client))).status, 200, 'in its very first request');
});

t.test('a tag that one edge saw move does not go back in time at the other', async (t) => {
  const { site, first, second } = await start(t);
  const other = await second();
  site.primary.seed(`${INNER}library/app`, '1', { blobs: [500] });
  t.equal((await pull(first.http1(), await login(first.http1()))).status, 200);
  await heardAgain(other);
  await site.primary.faults.on('down');
  await other.upstream('harbor', 'down');
  const pulled = await pull(other.http1(), await login(other.http1()));
  t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'gcr', warning: /old|moved/ } });
  t.match(other.app.status().tagWarnings, [{ tag: '1' }]);
});

t.test('another key, no key, and nobody there', async (t) => {
  const { first, second } = await start(t, {}, Buffer.from('the key of quite another site, as long as that'));
  const other = await second();
  t.match(other.app.status().peers, [{ state: 'stranger', heardAt: null }]);
  t.match(other.app.status().headline, { level: 'degraded', text: /has rejected this edge since .*another keyFile/ });
  t.match(other.log, /peer is stranger/);
  await first.app.stop();
  await until(() => other.app.status().peers[0]?.state === 'unreachable');
  t.match(other.app.status().headline.text, /has been unreachable since .*ECONNREFUSED/);
  t.match((await other.admin('/metrics')).body, /breakwater_peers\{peer="https:[^"]+",state="unreachable"\} 1/);
});

t.test('an edge that is its own peer knows itself, and a name that leads nowhere costs nothing', async (t) => {
  const { site } = await start(t);
  const own = `https://127.0.0.1:${site.edge.port}`;
  const begun = performance.now();
  await site.edge.reload({ ...site.config, peers: [own, 'https://no-such-edge.invalid'] });
  const states = () => site.edge.app.status().peers.map(({ url, state }) => `${url} ${state}`);
  await until(() => states().join() === `${own} itself,https://no-such-edge.invalid unreachable`, {
    what: () => states().join(),
  });
  t.ok(performance.now() - begun < timeLimit(3000));
  await site.edge.reload(site.config);
  await until(() => site.edge.app.status().peers.length === 0);
});

t.test('only the nodes of a site are told anything', async (t) => {
  const { first } = await start(t);
  for (const client of [first.http1(), first.http2()]) {
    for (const body of ['', 'x', 'a.b.c.d.e', 'y'.repeat(100_000), JSON.stringify({ v: 1 })]) {
      const reply = await client.ask('/_breakwater/peer', { method: 'POST', body: Buffer.from(body) });
      t.match(reply, { status: 403 }, `${body.length} bytes`);
      t.match(reply.body.toString(), /only the other edges/);
    }
    t.equal((await client.ask('/_breakwater/peer')).status, 404, 'and it can only be asked');
  }
});

t.test('who asks and is none of them is let go, and who waits for leave to ask is given it', async (t) => {
  const { first } = await start(t);
  const { port, certificate } = first;
  const session = connect(`https://127.0.0.1:${port}`, { ca: certificate.ca, servername: 'edge.test' });
  t.teardown(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': '/_breakwater/peer', ':authority': 'edge.test' });
  stream.resume().write('y'.repeat(100_000));
  await once(stream, 'close');
  t.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);

  const raw = await RawConnection.connect(t, { port, ca: certificate.ca, host: 'edge.test' });
  raw.send('POST /_breakwater/peer HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n');
  await raw.heard(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
  raw.send('x');
  await raw.heard(/HTTP\/1.1 403 /);
});

t.test('what the primary takes back at one edge, the other does not give', async (t) => {
  const { ann, site, first, second } = await start(t);
  const other = await second();
  t.equal((await login(first.http1())).status, 200);
  await heardAgain(other);
  ann.password = 'another';
  t.equal((await login(first.http1())).status, 401, 'the password is wrong now');
  await heardAgain(other);
  await site.primary.faults.on('down');
  t.equal((await login(other.http1())).status, 503);
});
