import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ACKNOWLEDGE_MS } from '../../src/failover/unheard.ts';
import { PeerClient } from '../../src/peer/peer-client.ts';
import type { QuestionProgress } from '../../src/peer/peer-marks.ts';
import { PEER_VERSION, type PeerAnswer } from '../../src/peer/peer-message.ts';
import { PeerSealer } from '../../src/peer/peer-sealer.ts';
import { Resolver } from '../../src/upstream/resolver.ts';
import { type EdgeInProcess, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { basic, KEY, probe } from '../helpers/forward-site.ts';
import type { Client, Reply } from '../helpers/http1-client.ts';
import { INNER, type LabSite, MANIFEST_TYPE, manifestOf, pushBlob, sha256, startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

const SHARED = Buffer.from('a secret that both edges of the site have in a file');
const CONFIG = Buffer.from('{}');
const REPOSITORY = 'library/app';

interface Pair {
  site: LabSite;
  first: EdgeInProcess;
  /** It keeps a question standing at the first one. */
  second: EdgeInProcess;
}

async function alone(t: Test, config: object = {}): Promise<LabSite> {
  const site = await startLabSite(t, {
    settings: { key: SHARED },
    config: { keyFile: 'x', ...config },
  });
  t.equal((await pushBlob(site.edge.http1(), REPOSITORY, CONFIG)).status, 201);
  return site;
}

async function start(t: Test, config: object = {}): Promise<Pair> {
  const site = await alone(t, config);
  const second = await another(t, site);
  return { site, first: site.edge, second };
}

async function another(t: Test, site: LabSite): Promise<EdgeInProcess> {
  const peers = [`https://127.0.0.1:${site.edge.port}`];
  const edge = await startEdgeInProcess(
    t,
    { ...site.config, peers },
    { key: SHARED, certificate: site.edge.certificate },
  );
  t.match(edge.app.status(), { peers: [{ state: 'in-step' }], unheard: [] });
  await hears(edge, site.edge);
  return edge;
}

/** Waits until a question of one edge stands at the other: then it hears of pushes before their reply. */
async function hears(edge: EdgeInProcess, other: EdgeInProcess): Promise<void> {
  await until(async () => {
    const version = `${performance.now()}`;
    await push(other.http1(), 'ready', version);
    return (await known(edge, 'ready')) === digestOf(version);
  });
}

const manifest = (version: string) =>
  Buffer.from(JSON.stringify({ ...JSON.parse(manifestOf(CONFIG).toString()), annotations: { version } }));

function push(client: Client, reference: string, version: string, query = ''): Promise<Reply> {
  const headers = { 'content-type': MANIFEST_TYPE };
  const path = `/v2/${REPOSITORY}/manifests/${reference}${query}`;
  return client.ask(path, { method: 'PUT', headers, body: manifest(version) });
}

/** What an edge has as current of a tag, without asking an upstream. Null: it was deleted. */
async function known(edge: EdgeInProcess, tag: string): Promise<string | null | undefined> {
  const { body } = await edge.admin(`/api/explain?image=${REPOSITORY}:${tag}`);
  const { ledger }: { ledger?: { digest: string | null } } = JSON.parse(body);
  return ledger?.digest;
}

const digestOf = (version: string) => sha256(manifest(version));

/**
 * What another edge knows of a tag once the reply is there. On a busy machine a reply may give up waiting, which the edge counts. Then the
 * other one hears of it later.
 */
async function hasHeard(
  t: Test,
  { writer, others }: { writer: EdgeInProcess; others: EdgeInProcess[] },
  tag: string,
  digest: string | null,
) {
  const { late = 0 } = writer.app.status().acknowledgements ?? {};
  for (const other of others) {
    if (late > 0)
      await until(async () => (await known(other, tag)) === digest, { what: () => `${tag} to be heard of` });
    else t.equal(await known(other, tag), digest);
  }
}

t.test('what is pushed and deleted at one edge the other knows when the reply is there', async (t) => {
  const { first, second } = await start(t);
  const heard = (digest: string | null) => hasHeard(t, { writer: first, others: [second] }, 'v1', digest);
  for (const client of [first.http1(), first.http2()]) {
    // The tag moves, and moves back at once.
    for (const version of ['one', 'two', 'one']) {
      t.equal((await push(client, 'v1', version)).status, 201);
      await heard(digestOf(version));
    }
    const gone = await client.ask(`/v2/${REPOSITORY}/manifests/${digestOf('one')}`, { method: 'DELETE' });
    t.equal(gone.status, 202);
    await heard(null);
  }
});

t.test('what is deleted or moved at one edge the other does not show from memory', async (t) => {
  const { first, second } = await start(t, { manifests: { tagFreshness: '1m' } });
  const [one, other] = [first.http1(), second.http1()];
  const read = async (reference: string, method = 'GET') => {
    const reply = await other.ask(`/v2/${REPOSITORY}/manifests/${reference}`, { method });
    return reply.status === 200 ? reply.headers['docker-content-digest'] : reply.status;
  };
  t.equal((await push(one, 'v1', 'one')).status, 201);
  for (const reference of ['v1', digestOf('one')]) t.equal(await read(reference), digestOf('one'));
  // Edges know each other's time to some milliseconds. A push so soon after a read may look earlier than it.
  await delay(100);
  t.equal((await push(one, 'v1', 'two')).status, 201);
  // On a busy machine a reply may have given up waiting for the other edge.
  await until(async () => (await known(second, 'v1')) === digestOf('two'));
  for (const method of ['GET', 'HEAD'])
    t.equal(await read('v1', method), digestOf('two'), `${method} of a tag that moved`);
  t.equal(await read(digestOf('two')), digestOf('two'));
  const remove = (version: string) => one.ask(`/v2/${REPOSITORY}/manifests/${digestOf(version)}`, { method: 'DELETE' });
  for (const version of ['one', 'two']) {
    t.equal((await remove(version)).status, 202);
    await until(async () => (await read(digestOf(version))) === 404, { what: () => `${version} to be gone` });
    t.equal(await read(digestOf(version), 'HEAD'), 404, version);
  }
  t.equal(await read('v1'), 404);
  t.equal((await push(one, 'v1', 'two')).status, 201);
  for (const reference of ['v1', digestOf('two')]) t.equal(await read(reference), digestOf('two'), 'pushed again');
});

t.test('pushes at once, and many', async (t) => {
  const { first, second } = await start(t);
  const client = first.http2();
  const tags = Array.from({ length: 40 }, (_, index) => `t${index}`);
  const heard = await Promise.all(
    tags.map(async (tag) => {
      const { status, headersAfter } = await push(client, tag, tag);
      t.equal(status, 201);
      // On a busy machine a reply may have given up waiting.
      return headersAfter > ACKNOWLEDGE_MS || (await known(second, tag)) === digestOf(tag);
    }),
  );
  t.notOk(heard.includes(false), `${heard}`);
});

t.test('each edge hears from the other, and a third one from both', async (t) => {
  const { site, first, second } = await start(t);
  const third = await another(t, site);
  await first.reload({ ...site.config, peers: [`https://127.0.0.1:${second.port}`] });
  await third.reload({ ...site.config, peers: [first, second].map(({ port }) => `https://127.0.0.1:${port}`) });
  for (const edge of [first, third]) await hears(edge, second);
  t.equal((await push(second.http1(), 'v1', 'one')).status, 201);
  await hasHeard(t, { writer: second, others: [first, third] }, 'v1', digestOf('one'));
  t.equal((await push(first.http1(), 'v1', 'two')).status, 201);
  await hasHeard(t, { writer: first, others: [second, third] }, 'v1', digestOf('two'));
});

t.test('an edge that is stopped tells its last pushes, and leaves no gap', async (t) => {
  const { first, second } = await start(t);
  t.equal((await push(first.http1(), 'v1', 'one')).status, 201);
  await first.app.stop();
  await until(() => second.app.status().peers[0]?.state === 'unreachable');
  t.strictSame(second.app.status().unheard, []);
  t.equal(await known(second, 'v1'), digestOf('one'));
});

t.test('an edge that starts without any other says that it knows nothing of their pushes', async (t) => {
  const { site, first } = await start(t);
  await first.app.stop();
  const peers = [`https://127.0.0.1:${first.port}`];
  const alone = await startEdgeInProcess(t, { ...site.config, peers }, { key: SHARED, certificate: first.certificate });
  t.match(alone.app.status().unheard, [{ since: null, until: String }], 'nothing listens there');
  await site.primary.faults.on('down');
  await alone.upstream('harbor', 'down');
  const pulled = await alone.http1().ask(`/v2/${REPOSITORY}/manifests/1`);
  t.match(pulled, { status: 200, headers: { warning: /its age is unknown, because pushes through the edge at 127/ } });
  t.match(alone.app.status().tagWarnings, [{ tag: '1' }]);
  t.match((await alone.admin('/metrics')).body, /breakwater_tags_total\{[^}]*verdict="unknown"[^}]*\} 1/);
  await alone.reload({ ...site.config, peers: [] });
  await site.primary.faults.off('down');
  await alone.upstream('harbor', 'up');
  t.equal((await alone.http1().ask(`/v2/${REPOSITORY}/manifests/1`)).status, 200, 'the primary confirms it');
  await site.primary.faults.on('down');
  await alone.upstream('harbor', 'down');
  const again = await alone.http1().ask(`/v2/${REPOSITORY}/manifests/1`, { headers: { accept: MANIFEST_TYPE } });
  t.notMatch(String(again.headers.warning), /unknown/);
});

t.test('a password that is wrong now is taken back at the other edge before the reply', async (t) => {
  const ann = { username: 'ann', password: 'Tr0ub4dor&3' };
  const users = [ann, { username: 'robot$probe', password: 'pr0be-secret' }];
  const secrets = { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } };
  const site = await startLabSite(t, {
    primary: { harbor: true, auth: { scheme: 'bearer', users } },
    harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor' } },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { key: SHARED, secrets },
    config: { auth: { mode: 'delegate' }, keyFile: 'x' },
  });
  const peers = [`https://127.0.0.1:${site.edge.port}`];
  const second = await startEdgeInProcess(
    t,
    { ...site.config, peers },
    { key: SHARED, secrets, certificate: site.edge.certificate },
  );
  const login = (edge: EdgeInProcess): Promise<Reply> => {
    const query = new URLSearchParams({ service: 'edge.test', scope: `repository:${REPOSITORY}:pull` });
    return edge.http1().ask(`/auth/token?${query}`, { headers: { authorization: basic('ann', 'Tr0ub4dor&3') } });
  };
  t.equal((await login(site.edge)).status, 200);
  const entries = () => second.app.status().peers[0]?.entries ?? 0;
  await until(() => entries() >= 2);
  const before = entries();
  ann.password = 'another';
  t.equal((await login(site.edge)).status, 401);
  const { late = 0 } = site.edge.app.status().acknowledgements ?? {};
  // On a busy machine the reply may have given up waiting.
  if (late > 0) await until(() => entries() > before);
  t.ok(entries() > before, 'it was heard');
  await site.primary.faults.on('down');
  await second.upstream('harbor', 'down');
  t.equal((await login(second)).status, 503, 'nothing is remembered there');
});

t.test('a client that leaves before its reply takes nothing back', async (t) => {
  const { site, first, second } = await start(t);
  const client = first.http1();
  const body = manifest('one');
  const pushed = client
    .ask(`/v2/${REPOSITORY}/manifests/v1`, { method: 'PUT', headers: { 'content-type': MANIFEST_TYPE }, body })
    .catch(() => undefined);
  await until(() => site.primary.requests.some(({ method, url }) => method === 'PUT' && url.includes(`${INNER}`)));
  client.close();
  await pushed;
  const there = await first.http1().ask(`/v2/${REPOSITORY}/manifests/v1`, { headers: { accept: MANIFEST_TYPE } });
  const told = await known(second, 'v1');
  t.ok(told === undefined || (there.status === 200 && told === digestOf('one')), 'told only if it is there');
});

/** A peer of the test's own, whose process is as frozen as the test wants. */
async function fakePeer(t: Test, { port }: EdgeInProcess) {
  const sealer = new PeerSealer([SHARED]);
  const address = `https://127.0.0.1:${port}`;
  const client = new PeerClient({ address, hostname: 'edge.test', resolver: new Resolver() });
  t.teardown(() => client.close());
  let count = 0;
  let heard: PeerAnswer | undefined;
  const versions = () =>
    Object.fromEntries(Object.entries(heard?.stores ?? {}).map(([name, { next }]) => [name, next]));
  /** @param stand whether the question may stand. @returns resolves with the answer */
  const ask = async (stand: boolean, progress?: QuestionProgress) => {
    count += 1;
    const question = {
      v: PEER_VERSION as typeof PEER_VERSION,
      kind: 'question' as const,
      nonce: `nonce-nonce-nonce-${count}`,
      ...(heard ? { of: heard.node } : {}),
      known: versions(),
      ...(stand ? { link: 'link-of-the-fake-peer' } : {}),
    };
    heard = await sealer.openAnswer(String(await client.ask(await sealer.seal(question), progress)));
    return heard;
  };
  /** Resolves when a question stands. */
  const stand = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const answered = ask(true, { onStands: resolve, onNews: () => undefined });
    await promise;
    return { answered };
  };
  return { ask, stand };
}

t.test('a frozen peer costs one push its patience and the next ones nothing, until it has caught up', async (t) => {
  const { edge: first } = await alone(t);
  const peer = await fakePeer(t, first);
  const client = first.http1();
  const timed = async (version: string) => (await push(client, 'v1', version)).headersAfter;
  await peer.ask(false);
  const { answered } = await peer.stand();
  t.ok((await timed('one')) >= ACKNOWLEDGE_MS - 5, 'it does not acknowledge what it was told');
  await answered;
  const told = async () => {
    const { body } = await first.admin('/metrics');
    const [, count] = /^breakwater_peer_acknowledgements_late_total (\d+)$/m.exec(body) ?? [];
    const { acknowledgements } = first.app.status();
    const lines = first.log.split('did not acknowledge a write within 100 ms').length - 1;
    return { count, ...acknowledgements, lines };
  };
  const late = { count: '1', late: 1, behind: [{ peer: '127.0.0.1' }], lines: 1 };
  t.match(await told(), late, 'the metric, the status and the log tell of it');
  t.match(first.log, /"level":40,[^\n]*"peer":"[^"]+","times":1,[^\n]*did not acknowledge/);
  for (let index = 0; index < 5; index += 1) await push(client, 'v1', `more ${index}`);
  t.match(await told(), late, 'and only once: replies do not wait for it any more');
  await peer.ask(true);
  await peer.stand();
  t.match(await told(), { count: '1', late: 1, behind: [] });
  t.ok((await timed('two')) >= ACKNOWLEDGE_MS - 5, 'it had caught up, so replies wait for it again');
  t.match(await told(), { count: '2', late: 2, behind: [{}], lines: 1 }, 'one line in ten seconds');
});

t.test('an edge of an earlier release is told within a second, and not waited for', async (t) => {
  const { edge: first } = await alone(t);
  const peer = await fakePeer(t, first);
  const client = first.http1();
  await peer.ask(false);
  const pushed = await push(client, 'v1', 'one');
  t.equal(pushed.status, 201);
  t.equal(first.app.status().acknowledgements?.late, 0, 'no reply waited for it in vain');
  const answer = await peer.ask(false);
  t.match(JSON.stringify(answer?.stores.ledger?.entries), digestOf('one'));
});
