import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { writeCertificate } from '../helpers/certificate.ts';
import { type Edge, startEdge } from '../helpers/edge.ts';
import { HttpsClient, type Reply } from '../helpers/https-client.ts';
import { MANIFEST_TYPE, manifestOf, sha256 } from '../helpers/lab-site.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

const TAGS = 60;
const PRIMARY = 'library/app';
const FALLBACK = 'example-project/app';
const CONFIG = Buffer.from('{}');
const skip = missing('docker-registry');
const names = Array.from({ length: TAGS }, (_, index) => `t${index}`);

/** What the image of a tag is at first, and after its push. */
const manifest = (tag: string, version: 'old' | 'new') =>
  Buffer.from(JSON.stringify({ ...JSON.parse(manifestOf(CONFIG).toString()), annotations: { tag, version } }));

interface Pair {
  harbor: Registry;
  /** The active edge, and the one that takes over. */
  first: Edge;
  second: Edge;
  client: (edge: Edge) => HttpsClient;
}

/** Puts a blob or a manifest into a registry itself. */
async function put(url: string, type: string, body: Buffer): Promise<void> {
  const response = await fetch(url, { method: 'PUT', headers: { 'content-type': type }, body });
  if (response.status !== 201) throw new Error(`${url}: ${response.status} ${await response.text()}`);
}

async function putBlob(registry: Registry, repository: string, bytes: Buffer): Promise<void> {
  const begun = await fetch(`${registry.url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  await put(`${begun.headers.get('location')}&digest=${sha256(bytes)}`, 'application/octet-stream', bytes);
}

/** Two edges before a primary and a fallback that nothing is copied to. Both registries have the old images. */
async function start(t: Test, tags: readonly string[]): Promise<Pair> {
  const [harbor, gcr] = await Promise.all([startRegistry(t), startRegistry(t)]);
  for (const [registry, repository] of [
    [harbor, PRIMARY],
    [gcr, FALLBACK],
  ] as const) {
    await putBlob(registry, repository, CONFIG);
    for (const tag of tags)
      await put(`${registry.url}/v2/${repository}/manifests/${tag}`, MANIFEST_TYPE, manifest(tag, 'old'));
  }
  const certificate = await writeCertificate(t);
  const keyFile = join(temporaryFolder(t), 'edge.key');
  await writeFile(keyFile, 'a secret of the edges that is long enough for this test');
  const times = { interval: '500ms', fastInterval: '100ms', timeout: '2s', fall: 2, holdDown: '1s', settle: '500ms' };
  const config = {
    tls: { certFile: certificate.certFile, keyFile: certificate.keyFile },
    keyFile,
    upstreams: {
      harbor: { urls: [harbor.url], probe: { canary: `${PRIMARY}:t0`, ...times } },
      gcr: { urls: [gcr.url], probe: times },
    },
    routes: [
      {
        prefix: 'library/',
        push: 'harbor',
        staleTags: 'refuse',
        pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/' }],
      },
    ],
  };
  const first = await startEdge(t, config);
  const second = await startEdge(t, { ...config, peers: [first.url] });
  for (const edge of [first, second])
    await edge.waitFor(({ upstreams }) => upstreams.every(({ state }) => state === 'up'));
  const client = (edge: Edge) => {
    const made = new HttpsClient(edge.url, certificate.authority);
    t.teardown(() => made.close());
    return made;
  };
  // What is current now both edges have seen.
  const reader = client(second);
  for (const tag of tags) if ((await read(reader, tag)).status !== 200) throw new Error(`${tag} cannot be read`);
  return { harbor, first, second, client };
}

function read(client: HttpsClient, tag: string): Promise<Reply> {
  return client.ask(`/v2/${PRIMARY}/manifests/${tag}`, { headers: { accept: MANIFEST_TYPE } });
}

async function push(client: HttpsClient, tag: string): Promise<void> {
  const body = manifest(tag, 'new');
  const headers = { 'content-type': MANIFEST_TYPE };
  const reply = await client.ask(`/v2/${PRIMARY}/manifests/${tag}`, { method: 'PUT', headers, body });
  if (reply.status !== 201) throw new Error(`${reply.status} ${reply.body}`);
}

/** What the edge that took over says of each tag whose push was acknowledged. */
async function outcomes({ second, client }: Pair, tags: readonly string[]): Promise<Record<string, number>> {
  await second.waitFor(({ upstreams }) => upstreams.find(({ name }) => name === 'harbor')?.state === 'down');
  const counts: Record<string, number> = {};
  const reader = client(second);
  for (const tag of tags) {
    const { status, body, headers } = await read(reader, tag);
    const text = `${body} ${headers.warning}`;
    const said = /age is unknown/.test(text) ? 'unknown' : /, older, /.test(text) ? 'old' : `${status}, and no word`;
    const outcome = status === 200 && sha256(body) === sha256(manifest(tag, 'new')) ? 'current' : said;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

t.test('the primary and the active edge are killed after the last of many pushes', { skip }, async (t) => {
  const pair = await start(t, names);
  const client = pair.client(pair.first);
  for (const tag of names) await push(client, tag);
  await Promise.all([pair.harbor.kill(), pair.first.kill()]);
  const counts = await outcomes(pair, names);
  const { old = 0, unknown = 0 } = counts;
  t.comment(JSON.stringify(counts));
  t.equal(old + unknown, TAGS, `of ${TAGS} acknowledged pushes none is old in silence: ${JSON.stringify(counts)}`);
});

t.test('the other edge is frozen while pushes are acknowledged, and the active one is killed', { skip }, async (t) => {
  const pair = await start(t, names.slice(0, 22));
  const client = pair.client(pair.first);
  await push(client, 't1');
  // On a busy machine the reply may not have waited.
  const explained = `${pair.second.adminUrl}/api/explain?image=${PRIMARY}:t1`;
  await until(async () => (await (await fetch(explained)).text()).includes(sha256(manifest('t1', 'new'))));
  pair.second.signal('SIGSTOP');
  const pushed = names.slice(2, 22);
  const began = performance.now();
  for (const tag of pushed) await push(client, tag);
  t.comment(`${pushed.length} pushes beside a frozen edge took ${Math.round(performance.now() - began)} ms`);
  await Promise.all([pair.harbor.kill(), pair.first.kill()]);
  pair.second.signal('SIGCONT');
  const { url } = pair.second;
  await until(async () => (await pair.second.status()).unheard.length > 0, { what: () => `${url} to know of a gap` });
  const counts = await outcomes(pair, ['t1', ...pushed]);
  const { old = 0, unknown = 0 } = counts;
  t.comment(JSON.stringify(counts));
  t.equal(old + unknown, pushed.length + 1, JSON.stringify(counts));
  t.ok(old >= 1, 'what it had acknowledged it knows');
  const log = pair.second.log();
  t.match(log, /"verdict":"unknown","action":"refused"/, 'a log line tells');
});
