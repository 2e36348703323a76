import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuthorityUsers } from '../../../helpers/authority-users.ts';
import { command } from '../../../helpers/command.ts';
import { EVERY_MANIFEST } from '../../../helpers/http1-client.ts';
import { HttpsClient } from '../../../helpers/https-client.ts';
import { writeImage } from '../../../helpers/image.ts';
import { startRegistry } from '../../../helpers/registry.ts';
import { RegistryFront } from '../../../helpers/registry-front.ts';
import { Skopeo } from '../../../helpers/skopeo.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { timeLimit } from '../../../helpers/time-limit.ts';
import { makeTokenAuthority } from '../../../helpers/token-authority.ts';
import { until } from '../../../helpers/until.ts';
import { type PairEvent, type Row, seconds } from '../event.ts';
import { askAs } from '../login.ts';
import type { PairNode } from '../node.ts';
import { HOST, type Pair } from '../pair.ts';

const USERS = 100;
const REPOSITORIES = 50;
const TAGS = 200;
const LIMIT_MS = 5000;
const IN_PARALLEL = 16;

export const restartEvents: PairEvent[] = [{ key: 'restart', group: 'restart', run: runRestart }];

async function runRestart(pair: Pair): Promise<Row[]> {
  const { digest, stop } = await startLargeSite(pair);
  const [a, b] = [pair.nodes.a, pair.nodes.b];
  await fill(pair, a, digest);
  const heard = Date.now();
  await b.waitFor(({ peers }) => peers.some(({ heardAt }) => Date.parse(heardAt ?? '') > heard));
  await b.edge.kill();
  const began = performance.now();
  b.edge.start();
  const answers = async () => {
    const { status } = await b.run('curl', '-sk', '--max-time', '1', '-o', '/dev/null', `https://${b.address}/v2/`);
    return status === 0;
  };
  await until(answers, { timeout: 30_000, every: 20, what: () => `the edge to serve\n${b.story()}` });
  const took = performance.now() - began;
  // The primary is gone at once: what it knows now is what the other edge told it before it served.
  await stop();
  const tags = Array.from({ length: REPOSITORIES }, (_, index) => `library/r${index}:t${(index * 37) % TAGS}`);
  const known = (await b.getAll(tags.map((tag) => `/api/explain?image=${tag}`))).map(
    (text) => (JSON.parse(text) as { ledger?: { digest: string } }).ledger?.digest,
  );
  const unknown = tags.filter((_, index) => known[index] !== digest);
  const target = { url: `https://${b.address}`, authority: pair.certificate.authority };
  const pulled = [];
  for (let index = 0; index < USERS; index += 7)
    pulled.push(await askAs(target, userOf(index), `library/r${index % REPOSITORIES}`, `t${index}`));
  const refused = pulled.filter(({ status }) => status !== 200);
  return [
    {
      event: `restart of one edge, with ${TAGS * REPOSITORIES} tags and ${USERS * REPOSITORIES} grants at the other`,
      must: 'serves within 5 s, and knows them',
      measured: `serves after ${seconds(took)}; of ${tags.length} tags it knows ${tags.length - unknown.length}, of ${pulled.length} users ${pulled.length - refused.length} can log in and pull while the primary is gone`,
      checks: [
        { what: `it serves after ${Math.round(took)} ms`, ok: took < timeLimit(LIMIT_MS) },
        { what: `tags that it does not know: ${unknown.join(', ')}`, ok: unknown.length === 0 },
        {
          what: `users: ${refused
            .map(({ status, body }) => `${status} ${body}`)
            .slice(0, 3)
            .join(' | ')}`,
          ok: refused.length === 0,
        },
      ],
    },
  ];
}

function userOf(index: number): { name: string; password: string } {
  return { name: `user${index}`, password: `secret of ${index}` };
}

/** Both edges start before a primary with many tags, users and repositories; the fallback has the same image everywhere. */
async function startLargeSite(pair: Pair): Promise<{ digest: string; stop: () => Promise<unknown> }> {
  const { owner } = pair;
  const may = { 'library/': ['pull', 'push'] };
  const users: AuthorityUsers = Object.fromEntries(
    Array.from({ length: USERS }, (_, index) => [userOf(index).name, { password: userOf(index).password, may }]),
  );
  const authority = await makeTokenAuthority(owner, users);
  const front = await new RegistryFront(owner, async (request, response) => {
    if (!request.url?.startsWith('/service/token')) return 'pass';
    await authority.answer(request, response);
    return 'answered';
  }).listen();
  const registry = await startRegistry(owner, { auth: authority.authAt(front.address) });
  front.before(registry.address);
  const image = await writeImage(temporaryFolder(owner), { layers: [1000] });
  const skopeo = new Skopeo(owner);
  skopeo.as(front.address, userOf(0));
  for (const tag of ['canary:latest', ...Array.from({ length: REPOSITORIES }, (_, index) => `r${index}:t0`)])
    await skopeo.push(image.folder, `${front.address}/library/${tag}`);
  addTags(registry.storage.root, image.digest);
  await command('cp', ['-a', `${registry.storage.root}/.`, pair.cloud.storage.root]);
  const passwordFile = join(temporaryFolder(owner), 'probe');
  writeFileSync(passwordFile, userOf(0).password, { mode: 0o600 });
  const keyFile = join(temporaryFolder(owner), 'edge.key');
  writeFileSync(keyFile, 'the key of both edges of a site with many tags', { mode: 0o600 });
  const probe = { canary: 'library/canary:latest', credentials: { username: userOf(0).name, passwordFile } };
  await Promise.all(pair.both.map((node) => node.edge.kill()));
  for (const node of pair.both)
    node.configure(pair.certificate, {
      keyFile,
      auth: { mode: 'delegate' },
      upstreams: {
        harbor: { urls: [`http://${front.address}`], credentials: 'forward', probe },
        gcr: { urls: [pair.cloud.url] },
      },
      routes: [{ prefix: 'library/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] }],
    });
  await Promise.all(pair.both.map((node) => node.startEdge()));
  await pair.well();
  return { digest: image.digest, stop: () => Promise.all([registry.kill(), front.set('down')]) };
}

/** More tags of the image that each repository has, as docker-registry stores them. */
function addTags(root: string, digest: string): void {
  for (let repository = 0; repository < REPOSITORIES; repository += 1)
    for (let tag = 1; tag < TAGS; tag += 1) {
      const manifests = join(root, `docker/registry/v2/repositories/library/r${repository}/_manifests`);
      const current = join(manifests, `tags/t${tag}/current`);
      mkdirSync(current, { recursive: true });
      writeFileSync(join(current, 'link'), digest);
    }
}

/** Every user logs in for every repository at one edge, and every tag is asked for there. */
async function fill(pair: Pair, { address }: PairNode, digest: string): Promise<void> {
  const client = new HttpsClient(`https://${address}`, pair.certificate.authority);
  pair.owner.teardown(() => client.close());
  const scopes = Array.from({ length: REPOSITORIES }, (_, index) => ['scope', `repository:library/r${index}:pull`]);
  const query = new URLSearchParams([['service', HOST], ...scopes]);
  let token = '';
  await inParallel(USERS, async (index) => {
    const { name, password } = userOf(index);
    const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
    const { status, body } = await client.ask(`/auth/token?${query}`, { headers: { authorization } });
    if (status !== 200) throw new Error(`login of ${name}: ${status} ${body}`);
    token = JSON.parse(body.toString()).token;
  });
  await inParallel(REPOSITORIES * TAGS, async (index) => {
    const path = `/v2/library/r${index % REPOSITORIES}/manifests/t${Math.floor(index / REPOSITORIES)}`;
    const headers = { accept: EVERY_MANIFEST, authorization: `Bearer ${token}` };
    const reply = await client.ask(path, { headers });
    if (reply.headers['docker-content-digest'] !== digest) throw new Error(`${path}: ${reply.status}`);
  });
}

async function inParallel(count: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < count) {
      next += 1;
      await act(next - 1);
    }
  };
  await Promise.all(Array.from({ length: IN_PARALLEL }, work));
}
