import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import t, { type Test } from 'tap';
import { UsageError } from '../../../src/cli/config-path.ts';
import { createProgram } from '../../../src/cli/main.ts';
import type { SyncEntry, SyncSummary } from '../../../src/cli/sync/document.ts';
import { type LabRegistry, type LabRegistryOptions, startLabRegistry } from '../../../src/lab/registry.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { commandLine } from '../../helpers/command-line.ts';
import { RegistryFront } from '../../helpers/registry-front.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');

interface Ran {
  status: number;
  stdout: string;
  stderr: string;
}

/** Not synchronous: the registries are in this process. */
function run(args: readonly string[], onOutput?: (child: ReturnType<typeof execFile>) => void): Promise<Ran> {
  const [file, rest] = commandLine(launcher, ['sync', ...args]);
  return new Promise((resolve) => {
    const child = execFile(file, rest, (error, stdout, stderr) =>
      resolve({ status: Number(error?.code ?? 0), stdout, stderr }),
    );
    if (onOutput) child.stdout?.once('data', () => onOutput(child));
  });
}

async function sync(...args: string[]): Promise<Ran> {
  return run(args);
}

async function syncJson(...args: string[]): Promise<{ status: number; tags: SyncEntry[]; summary: SyncSummary }> {
  const { status, stdout } = await sync(...args, '--json');
  return { status, ...JSON.parse(stdout) };
}

async function registries(t: Test, from: LabRegistryOptions = {}, to: LabRegistryOptions = {}) {
  const pair = await Promise.all([startLabRegistry(from), startLabRegistry(to)]);
  t.teardown(() => Promise.all(pair.map((one) => one.close())));
  return pair;
}

const names = (registry: LabRegistry) =>
  [...registry.store.repositories]
    .flatMap(([name, { tags }]) => [...tags.keys()].map((tag) => `${name}:${tag}`))
    .sort();

async function configFor(t: Test, harbor: LabRegistry, gcr: LabRegistry, more: object = {}): Promise<string> {
  const config = join(await writeMaterial(t), 'breakwater.yaml');
  const settings = {
    hostname: 'cr.example.io',
    tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
    upstreams: {
      harbor: { urls: [harbor.url], credentials: 'forward', probe: { canary: 'library/canary:1' }, ...more },
      gcr: { urls: [gcr.url] },
      other: { urls: ['http://127.0.0.1:1'] },
    },
    routes: [
      {
        prefix: 'library/',
        push: 'harbor',
        pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/' }],
      },
    ],
  };
  writeFileSync(config, JSON.stringify(settings));
  return config;
}

t.test('from URL to URL: dry, real, and nothing left', async (t) => {
  const [from, to] = await registries(t, { pageSize: 2 });
  for (const name of ['a', 'b/c', 'd']) for (const tag of ['1', '2']) from.seed(name, tag, { blobs: [1000] });
  const dry = await sync(from.url, to.url, '--dry-run');
  t.match(dry, { status: 1, stdout: /^would copy {2}a:1 \(missing\)\n/m });
  t.match(dry.stdout, /: 3 repositories, images: 0 already there, 6 would be copied\n$/);
  t.equal(to.writes, 0);
  const real = await sync(from.url, to.url);
  t.match(real, { status: 0, stdout: /^copied {6}b\/c:2 \(/m });
  t.match(real.stdout, /images: 0 already there, 6 copied\n.* in .*; 2 blobs sent, 4 mounted\n$/);
  t.strictSame(names(to), names(from));
  t.match(await sync(from.url, to.url, '--dry-run'), { status: 0, stdout: /6 already there, 0 would be copied\n$/ });
});

t.test('one JSON document', async (t) => {
  const [from, to] = await registries(t);
  const one = from.seed('a', '1', { blobs: [1000] });
  from.seed('a', '2', { blobs: [1000, 5] });
  t.match(await syncJson(from.url, to.url, '--dry-run'), {
    status: 1,
    tags: [{ from: 'a', to: 'a', tag: '1', outcome: 'would-copy' }, { tag: '2' }],
    summary: { dryRun: true, complete: false, left: 2, copied: 0, end: 'done' },
  });
  await from.faults.on('errors', { status: 403, path: '/v2/a/manifests/2' });
  const half = await syncJson(from.url, to.url);
  t.match(half, { status: 1, summary: { complete: false, copied: 1, failed: 1, repositories: 1 } });
  t.match(
    half.tags.find(({ tag }) => tag === '2'),
    { outcome: 'failed', reason: /does not serve the manifest a:2 \(403/ },
  );
  t.match(
    half.tags.find(({ tag }) => tag === '1'),
    { outcome: 'copied', digest: one.digest },
  );
  await from.faults.off();
  t.match(await syncJson(from.url, to.url), { status: 0, summary: { complete: true, same: 1, copied: 1, left: 0 } });
  t.match(await syncJson(from.url, to.url), { status: 0, tags: [], summary: { complete: true, same: 2, bytes: 0 } });
});

t.test('what fails is listed at the end, with why', async (t) => {
  const [from, to] = await registries(t);
  from.seed('a', '1', { blobs: [1000] });
  from.seed('b', '1', { blobs: [70_000] });
  await from.faults.on('corrupt', { path: '/v2/b/', bytes: 7 });
  const { status, stdout } = await sync(from.url, to.url);
  t.equal(status, 1);
  t.match(
    stdout,
    /1 copied, 1 failed\n.*\nnot copied:\n {2}b:1: 127\.0\.0\.1:\d+ has wrong bytes in the blob sha256:.*\n$/,
  );
});

t.test('between upstreams by their routes, with the canary as the last', async (t) => {
  const [harbor, gcr] = await registries(t);
  for (const name of ['app', 'canary', 'zoo']) gcr.seed(`example-project/${name}`, '1', { blobs: [1000] });
  gcr.seed('elsewhere/app', '1', { blobs: [1000] });
  const config = await configFor(t, harbor, gcr);
  t.match(await sync('gcr', 'harbor', '--config', config), {
    status: 0,
    stdout: /^copied {6}example-project\/app:1 -> library\/app:1/m,
  });
  t.strictSame(names(harbor), ['library/app:1', 'library/canary:1', 'library/zoo:1'], 'and what is on no route stays');
  t.match(harbor.requests.findLast(({ method }) => method === 'PUT')?.url, /library\/canary\/manifests\/1/);

  const newer = harbor.seed('library/app', '1', { blobs: [2000] });
  const kept = await sync('gcr', 'harbor', '--config', config);
  t.match(kept, { status: 0, stdout: /1 not replaced on harbor\nUse --replace/ });
  t.equal(harbor.store.repository('library/app').tags.get('1'), newer.digest, 'a push is not taken back');
  t.match(await sync('harbor', 'gcr', '--config', config), {
    status: 0,
    stdout: /^copied {6}library\/app:1 -> example-project\/app:1/m,
  });
  t.equal(gcr.store.repository('example-project/app').tags.get('1'), newer.digest);
  gcr.seed('example-project/app', '1', { blobs: [3000] });
  t.match(await sync('gcr', 'harbor', '--replace', '--config', config), { status: 0, stdout: /1 copied/ });
});

t.test('a canary that is nowhere is told of', async (t) => {
  const [harbor, gcr] = await registries(t);
  gcr.seed('example-project/app', '1', { blobs: [1000] });
  const config = await configFor(t, harbor, gcr);
  t.match(await sync('gcr', 'harbor', '--config', config), {
    stdout: /harbor has no canary\. Push library\/canary:1/,
  });
});

t.test('a part of what is missing does not bring what tells that all is there', async (t) => {
  const [harbor, gcr] = await registries(t);
  for (const name of ['app', 'canary'])
    for (const tag of ['1', '2']) gcr.seed(`example-project/${name}`, tag, { blobs: [9] });
  const at = ['--config', await configFor(t, harbor, gcr)];
  const left =
    /example-project\/canary:1: skipped, because it would announce a complete copy, but only a part was asked for/;
  for (const part of [
    ['--tag-filter', '1'],
    ['--prefix', 'example-project/c'],
  ])
    t.match(await sync('gcr', 'harbor', ...part, ...at), { status: 1, stdout: left });
  t.strictSame(names(harbor), ['library/app:1', 'library/canary:2']);
  t.match(await sync('gcr', 'harbor', '--prefix', 'example-project/', ...at), { status: 0 }, 'that is all of it');
  t.ok(names(harbor).includes('library/canary:1'));
  const { digest } = gcr.seed('example-project/canary', '1', { blobs: [10] });
  const replaced = await sync('gcr', 'harbor', '--replace', '--tag-filter', '1', ...at);
  t.match(replaced, { status: 0 }, 'one that is there tells nothing new');
  t.equal(harbor.store.repository('library/canary').tags.get('1'), digest);
  harbor.store.removeManifest('library/canary', digest);
  t.match(await sync('gcr', 'harbor', '--repository', 'example-project/canary', ...at), { status: 0 }, 'by its name');
});

t.test('credentials of replication, and those for a URL', async (t) => {
  const user = { username: 'robot$copy', password: 'c0py' };
  const auth = { scheme: 'bearer', users: [user] } as const;
  const [harbor, gcr] = await registries(t, { auth: { ...auth, users: [user] } });
  harbor.seed('library/app', '1', { blobs: [1000] });
  const folder = temporaryFolder(t);
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, 'c0py\n');
  const replication = { credentials: { username: user.username, passwordFile } };
  const config = await configFor(t, harbor, gcr, { replication });
  t.match(await sync('harbor', 'gcr', '--config', config), { status: 0 });
  const login = ['--from-user', user.username, '--from-password-file', passwordFile];
  t.match(await sync(harbor.url, `${gcr.url}/copies/`, ...login), { status: 0 });
  t.strictSame(names(gcr), ['copies/library/app:1', 'example-project/app:1']);
  writeFileSync(passwordFile, 'wrong');
  const refused = await sync(harbor.url, gcr.url, ...login);
  t.match(refused, { status: 1, stderr: /^breakwater: 127\.0\.0\.1:\d+ refuses the credentials: / });
  t.notMatch(refused.stderr, /wrong/, 'the password is in no message');
});

t.test('a Harbor by its URL, whose catalog is for administrators', async (t) => {
  const user = { username: 'robot$copy', password: 'c0py' };
  const [harbor, to] = await registries(t, { harbor: true, auth: { scheme: 'bearer', users: [user] } });
  for (const name of ['library/app', 'other/app']) harbor.seed(name, '1', { blobs: [1000] });
  await harbor.faults.on('errors', { status: 403, kind: 'catalog' });
  const passwordFile = join(temporaryFolder(t), 'password');
  writeFileSync(passwordFile, 'c0py');
  const login = ['--from-user', user.username, '--from-password-file', passwordFile];
  t.match(await sync(harbor.url, to.url, ...login), { status: 0, stdout: /2 copied/ });
  t.match(await sync(harbor.url, to.url), { status: 2, stderr: /does not list its repositories/ });
});

t.test('hosts that neither the registry nor the command line names', async (t) => {
  const user = { username: 'ann', password: 'x' };
  const storage = await startLabRegistry();
  t.teardown(() => storage.close());
  const elsewhere = `http://localhost:${storage.port}`;
  const [from, to] = await registries(t, { downloads: 'redirect', redirectTo: elsewhere });
  const { blobDigests, configDigest } = from.seed('a', '1', { blobs: [10] });
  t.equal(blobDigests.length, 1, configDigest);
  t.match(await sync(from.url, to.url), { status: 1, stdout: /localhost.*--from-redirect-host/s });
  const auth = { scheme: 'bearer', users: [user], realm: `${elsewhere}/token` } as const;
  const [closed] = await registries(t, { auth: { ...auth, users: [user] } });
  const passwordFile = join(temporaryFolder(t), 'password');
  writeFileSync(passwordFile, 'x');
  const login = ['--to-user', 'ann', '--to-password-file', passwordFile];
  t.match(await sync(from.url, closed.url, ...login), {
    status: 1,
    stderr: /localhost:\d+, which --to-realm-host does not name/,
  });
  t.match(await sync(closed.url, to.url), { stderr: /localhost:\d+, which --from-realm-host does not name/ });
  t.equal(storage.requests.filter(({ kind }) => kind === 'token').length, 0, 'nothing was asked there');
});

t.test('prefixes, names and filters', async (t) => {
  const [from, to] = await registries(t);
  for (const name of ['team/a', 'team/b', 'other/c'])
    for (const tag of ['v1.0', 'v1.1', 'v2.0', 'latest']) from.seed(name, tag, { blobs: [10] });
  const file = join(temporaryFolder(t), 'names');
  writeFileSync(file, '# ours\n\nother/c\n');
  await sync(from.url, to.url, '--prefix', 'team/b', '--tag-filter', 'v1.*', 'latest');
  t.strictSame(names(to), ['team/b:latest', 'team/b:v1.0', 'team/b:v1.1']);
  t.match(await sync(`${from.url}/team/`, `${to.url}/x/y/`, '--tag-filter', '{v2.0,nothing}'), { status: 0 });
  t.strictSame(names(to).slice(3), ['x/y/a:v2.0', 'x/y/b:v2.0']);
  const own = await sync(to.url, `${to.url}/x/again/`, '--repository', 'x/y/a');
  t.match(own, { status: 0, stdout: /x\/y\/a:v2\.0 -> x\/again\/x\/y\/a:v2\.0/ }, 'within a registry, by name');
  await from.faults.on('errors', { status: 405, kind: 'catalog' });
  const named = await sync(from.url, to.url, '--repository', 'team/a', '--repository-file', file, '--from-prefix', '');
  t.match(named, { status: 0, stdout: /2 repositories/ });
  t.match(await sync(from.url, to.url, '--repository', 'team/x'), {
    status: 1,
    stdout: /team\/x: .* no such repository/,
  });
  t.match(await sync(from.url, to.url, '--repository', 'team/x', '--from-prefix', 'other/'), { status: 2 });
});

t.test('a registry that does not list what it has', async (t) => {
  const [from, to] = await registries(t);
  from.seed('a', '1', { blobs: [10] });
  await from.faults.on('errors', { status: 405, kind: 'catalog' });
  const { stderr, ...ran } = await sync(from.url, to.url, '--json');
  t.match(ran, { status: 2, stdout: '' });
  t.match(
    stderr,
    /does not list its repositories \(405\); name the repositories with --repository or --repository-file/,
  );
});

t.test('a list that is refused halfway is one document all the same', async (t) => {
  const [, to] = await registries(t);
  const front = await new RegistryFront(t, async ({ url = '' }, response) => {
    const isFirst = url === '/v2/' || (url.startsWith('/v2/_catalog') && !url.includes('last='));
    response.writeHead(isFirst ? 200 : 403, { link: '</v2/_catalog?last=a>; rel="next"' });
    response.end('{"repositories":["a"]}');
    return 'answered';
  }).listen();
  const { status, tags, summary } = await syncJson(`http://${front.address}`, to.url);
  t.equal(status, 1);
  t.match(tags, [{ from: 'a', tag: null, outcome: 'failed' }]);
  t.match(summary, { end: 'failed', complete: false, failed: 2, reasons: [/does not list its repositories \(403\)/] });
});

t.test('a source without any image is not "all there"', async (t) => {
  const [from, to] = await registries(t);
  t.match(await sync(from.url, to.url), {
    status: 1,
    stdout: /Nothing to copy was found on http.*Check its storage/,
  });
  from.seed('a', '1', { blobs: [10] });
  t.match(await sync(from.url, to.url, '--prefix', 'b'), { status: 1 });
});

t.test('an interruption ends it in order', async (t) => {
  const [from, to] = await registries(t);
  for (let index = 0; index < 20; index += 1) from.seed('a', `v${index}`, { blobs: [100_000 + index] });
  await from.faults.on('slow', { bytesPerSecond: 200_000 });
  const { status, stdout } = await run([from.url, to.url, '--json', '--images', '2'], (child) => child.kill('SIGINT'));
  t.equal(status, 1);
  const { summary }: { summary: SyncSummary } = JSON.parse(stdout);
  t.match(summary, { end: 'interrupted', complete: false, failed: 0 });
  t.ok(summary.copied > 0 && summary.left > 0, JSON.stringify(summary));
  const { tags } = to.store.repository('a');
  t.ok(tags.size >= summary.copied && tags.size <= summary.copied + 2, 'those under way may have come to their end');
});

const MISTAKES: [what: string, args: string[], RegExp][] = [
  ['nothing', [], /missing required argument 'from'/],
  ['one side', ['http://a.lan'], /missing required argument 'to'/],
  ['a host alone', ['registry.lan:5000', 'http://b.lan'], /registry\.lan:5000 is neither .* a URL with https/],
  [
    'credentials in a URL',
    ['http://ann:secret@a.lan', 'http://b.lan'],
    /the URL of a\.lan must not have a user or password/,
  ],
  ['credentials without a scheme', ['ann:secret@a.lan', 'http://b.lan'], /^\*\*\*@a\.lan is neither /],
  [
    'credentials in another scheme',
    ['docker://ann:secret@a.lan', 'http://b.lan'],
    /^docker:\/\/\*\*\*@a\.lan is neither /,
  ],
  [
    'credentials in no URL',
    ['http://ann:se@secret@a.lan:99999', 'http://b.lan'],
    /^http:\/\/\*\*\*@a\.lan:99999 is not a valid URL/,
  ],
  ['the API', ['http://a.lan/v2/', 'http://b.lan'], /remove v2\/ from/],
  ['an image', ['http://a.lan/app', 'http://b.lan'], /a prefix of repositories ends in "\/"/],
  ['a query', ['http://a.lan/?n=1', 'http://b.lan'], /must have only a host/],
  ['itself', ['http://a.lan', 'http://a.lan/'], /both sides are the same/],
  ['its own copies', ['http://a.lan/x/', 'http://a.lan/x/y/'], /x\/y\/ is part of the source/],
  ['a prefix twice', ['http://a.lan/x/', 'http://b.lan', '--from-prefix', 'y/'], /already has the prefix x/],
  ['a prefix that is none', ['http://a.lan', 'http://b.lan', '--to-prefix', 'y'], /not a prefix of repositories/],
  ['a user alone', ['http://a.lan', 'http://b.lan', '--from-user', 'x'], /must be given together/],
  ['a password alone', ['http://a.lan', 'http://b.lan', '--to-password-file', 'x'], /must be given together/],
  ['a host that is none', ['http://a.lan', 'http://b.lan', '--from-redirect-host', 'a b'], /--from-redirect-host: /],
  ['a file that is not there', ['http://a.lan', 'http://b.lan', '--from-ca', 'no.crt'], /--from-ca .*does not exist/],
  ['names that are none', ['http://a.lan', 'http://b.lan', '--repository', 'A'], /A is not a repository name/],
  ['no file of names', ['http://a.lan', 'http://b.lan', '--repository-file', 'no'], /no does not exist/],
  ['images', ['http://a.lan', 'http://b.lan', '--images', '0'], /a number from 1 to 64/],
  ['a rate', ['http://a.lan', 'http://b.lan', '--max-bandwidth', 'fast'], /bytes a second/],
  ['both ways', ['http://a.lan', 'http://b.lan', '--keep', '--replace'], /cannot be used with/],
  ['no configuration', ['harbor', 'gcr', '--config', 'nowhere.yaml'], /no configuration at nowhere\.yaml/],
];

for (const [what, args, message] of MISTAKES)
  t.test(`what cannot be carried out: ${what}`, async (t) => {
    const said = await refusal(args);
    t.match(said, message);
    t.notMatch(said, /secret/);
  });

/** In this process, since there are many. */
async function refusal(args: readonly string[]): Promise<string> {
  const program = createProgram();
  const said: string[] = [];
  for (const one of program.commands) one.configureOutput({ writeErr: (text) => void said.push(text) });
  try {
    await program.parseAsync(['node', 'breakwater', 'sync', ...args]);
    return 'it was carried out';
  } catch (error) {
    if (error instanceof CommanderError) return said.join('');
    return error instanceof UsageError ? error.message : `another error: ${error}`;
  }
}

t.test('exit status 2 of what cannot be carried out', async (t) => {
  for (const args of [['http://a.lan'], ['registry.lan:5000', 'http://b.lan']])
    t.match(await sync(...args), { status: 2, stdout: '' });
});

t.test('upstreams that are none, or on no common route', async (t) => {
  const [harbor, gcr] = await registries(t);
  const at = ['--config', await configFor(t, harbor, gcr)];
  t.match(await refusal(['harbr', 'gcr', ...at]), /no upstream harbr; did you mean harbor/);
  t.match(await refusal(['gcr', 'nowhere', ...at]), /no upstream nowhere; it has harbor, gcr, other/);
  t.match(await refusal(['gcr', 'gcr', ...at]), /the same upstream/);
  t.match(await refusal(['gcr', 'gcr', '--from-prefix', 'x/', '--to-prefix', 'x/', ...at]), /both sides are the same/);
  t.match(await refusal(['gcr', 'gcr', '--to-prefix', 'x/', ...at]), /x\/ is part of the source/);
  t.match(await refusal(['gcr', 'other', ...at]), /no route has both gcr and other/);
  const user = ['--to-user', 'x', '--to-password-file', 'y'];
  t.match(
    await refusal(['gcr', 'harbor', ...user, ...at]),
    /--to-user is only for a URL; for harbor, set it in upstreams\.harbor/,
  );
});
