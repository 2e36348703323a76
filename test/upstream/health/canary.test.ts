import t from 'tap';
import { Canary } from '../../../src/upstream/health/canary.ts';
import { type Scripted, scriptedGet } from '../made-answer.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const A = digest('a');
const B = digest('b');
const CHALLENGE = { 'www-authenticate': 'Bearer realm="https://x/token"' };
const MANIFEST = '/v2/library/canary/manifests/latest';
const blobPath = (letter: string, repository = 'library/canary') => `/v2/${repository}/blobs/${digest(letter)}`;
const BYTE: Scripted = { status: 206, body: 'x' };

async function read(canary: Canary, table: Record<string, Scripted | Error>) {
  const { get, asked } = scriptedGet(table);
  const reading = await canary.read(get);
  return { ...reading, asked };
}

t.test('a configured canary: the manifest by tag, one random byte of its blob', async (t) => {
  const canary = new Canary('library/canary:latest');
  t.ok(canary.configured);
  const headers = { 'docker-content-digest': B };
  const table = { [MANIFEST]: { headers, body: { layers: [{ digest: A, size: 1000 }] } }, [blobPath('a')]: BYTE };
  const offsets = new Set<string | undefined>();
  for (let count = 0; count < 20; count += 1) {
    const { state, reason, asked } = await read(canary, table);
    t.same([state, reason, asked.length], ['good', 'canary blob was read', 2]);
    t.match(asked[0]?.headers.accept, /vnd\.oci\.image\.index/);
    t.same(asked[1]?.scopes, ['repository:library/canary:pull']);
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(asked[1]?.headers.range ?? '') ?? [];
    t.ok(first === last && Number(first) < 1000);
    offsets.add(first);
  }
  t.ok(offsets.size > 1, 'not always the same: that one would come from a cache');
});

t.test('a manifest that is known is read by HEAD, which Harbor books as no pull', async (t) => {
  const canary = new Canary('library/canary:latest');
  const shows = (told: string, letter: string): Scripted => ({
    headers: { 'docker-content-digest': told },
    body: { layers: [{ digest: digest(letter), size: 5 }] },
  });
  const methods = async (table: Record<string, Scripted | Error>) =>
    (await read(canary, table)).asked.map(({ method, path }) => `${method} ${path}`);
  const table = { [MANIFEST]: shows(A, 'a'), [blobPath('a')]: BYTE };
  t.same(await methods(table), [`GET ${MANIFEST}`, `GET ${blobPath('a')}`], 'the first time');
  t.same(await methods(table), [`HEAD ${MANIFEST}`, `GET ${blobPath('a')}`], 'then');
  const moved = { [MANIFEST]: shows(B, 'b'), [blobPath('b')]: BYTE };
  t.same(
    await methods(moved),
    [`HEAD ${MANIFEST}`, `GET ${blobPath('a')}`, `GET ${MANIFEST}`, `GET ${blobPath('b')}`],
    'a canary that was pushed again; its old blob may be gone',
  );
  const bad: [string, Record<string, Scripted | Error>, string][] = [
    [
      'no manifest, from the database',
      { ...moved, [`HEAD ${MANIFEST}`]: { status: 404 } },
      'canary manifest answers 404',
    ],
    ['an error', { ...moved, [`HEAD ${MANIFEST}`]: { status: 500 } }, 'canary manifest answers 500'],
    ['HEAD from a cache, storage gone', { [MANIFEST]: shows(B, 'b') }, 'canary blob answers 404'],
  ];
  for (const [name, at, reason] of bad) t.match(await read(canary, at), { state: 'failing', reason }, name);
  const busy = { ...moved, [`HEAD ${MANIFEST}`]: { status: 429, headers: { 'retry-after': '3' } } };
  t.match(await read(canary, busy), { state: 'failing', retryAfterMs: 3000 }, 'overload');
  await t.rejects(
    read(canary, { ...moved, [blobPath('b')]: new Error('hung') }),
    /hung/,
    'HEAD from a cache, storage hung',
  );
});

t.test('while requests have trouble, more of a blob is read, and no manifest', async (t) => {
  const [c, d] = ['c', 'd'];
  const config = (size: number) => ({ digest: digest(d), size });
  const rows: [string, manifest: object, path: string, range: RegExp][] = [
    [
      'a long layer',
      { layers: [{ digest: digest(c), size: 9000 }], config: config(5000) },
      blobPath(c),
      /^bytes=\d+-\d+$/,
    ],
    [
      'a short layer',
      { layers: [{ digest: digest(c), size: 30 }], config: config(700) },
      blobPath(d),
      /^bytes=0-4095$/,
    ],
    ['no size is told', { layers: [{ digest: digest(c) }] }, blobPath(c), /^bytes=0-4095$/],
  ];
  for (const [name, body, path, range] of rows) {
    const canary = new Canary('library/canary:latest');
    const bytes: Scripted = { status: 206, body: 'x'.repeat(30) };
    const headers = { 'docker-content-digest': A };
    const table = { [MANIFEST]: { headers, body }, [blobPath(c)]: BYTE, [blobPath(d)]: bytes };
    await read(canary, table);
    canary.readsMore = () => true;
    const { state, asked } = await read(canary, table);
    t.equal(state, 'good', name);
    t.same(
      asked.map((one) => `${one.method} ${one.path}`),
      [`HEAD ${MANIFEST}`, `GET ${path}`],
      name,
    );
    t.match(asked[1]?.headers.range, range, name);
    const [from = 0, to = 0] = (asked[1]?.headers.range ?? '').slice(6).split('-').map(Number);
    t.equal(to - from, 4095, name);
  }
});

t.test('a registry whose HEAD does not tell the digest is asked by GET', async (t) => {
  const headers = { 'docker-content-digest': A };
  const body = { layers: [{ digest: A, size: 5 }] };
  for (const head of [{ status: 405 }, {}]) {
    const canary = new Canary('library/canary:latest');
    const table = { [`HEAD ${MANIFEST}`]: head, [MANIFEST]: { headers, body }, [blobPath('a')]: BYTE };
    await read(canary, table);
    t.match(await read(canary, table), { state: 'good', asked: { length: 4 } }, 'HEAD is tried');
    const later = await read(canary, table);
    t.same([later.state, ...later.asked.map(({ method }) => method)], ['good', 'GET', 'GET'], 'once');
  }
});

t.test('how an image is named', async (t) => {
  const rows: [string, string][] = [
    ['library/canary:1.2', '/v2/library/canary/manifests/1.2'],
    ['library/canary', '/v2/library/canary/manifests/latest'],
    [`library/canary@${A}`, `/v2/library/canary/manifests/${A}`],
  ];
  for (const [image, path] of rows) t.equal((await read(new Canary(image), {})).asked[0]?.path, path, image);
});

t.test('an index costs one request more, once', async (t) => {
  const canary = new Canary('library/canary:latest');
  const child = `/v2/library/canary/manifests/${B}`;
  const index = (tag: string) => ({ headers: { 'docker-content-digest': tag }, body: { manifests: [{ digest: B }] } });
  const table = {
    [MANIFEST]: index(A),
    [child]: { body: { layers: [{ digest: A, size: 5 }] } },
    [blobPath('a')]: BYTE,
  };
  t.same(
    (await read(canary, table)).asked.map((one) => one.path),
    [MANIFEST, child, blobPath('a')],
  );
  t.same(
    (await read(canary, table)).asked.map((one) => one.path),
    [MANIFEST, blobPath('a')],
  );
  const moved = { ...table, [MANIFEST]: index(digest('c')), [child]: { status: 500 } };
  t.match(await read(canary, moved), { state: 'failing', reason: "a manifest in the canary's index answers 500" });
});

t.test('what makes a configured canary fail', async (t) => {
  const manifest = { body: { layers: [{ digest: A, size: 5 }] } };
  const rows: [string, Record<string, Scripted>, string][] = [
    ['no manifest', {}, 'canary manifest answers 404'],
    ['an error', { [MANIFEST]: { status: 500 } }, 'canary manifest answers 500'],
    ['not its to read', { [MANIFEST]: { status: 401, headers: CHALLENGE } }, 'canary manifest answers 401'],
    ['a manifest of nothing', { [MANIFEST]: { body: {} } }, 'canary manifest names no blob'],
    ['no JSON', { [MANIFEST]: { body: '<html>' } }, 'canary manifest names no blob'],
    ['no blob', { [MANIFEST]: manifest }, 'canary blob answers 404'],
    ['an empty answer', { [MANIFEST]: manifest, [blobPath('a')]: { status: 206 } }, 'canary blob has no bytes'],
    [
      'Harbor without its database',
      { [MANIFEST]: manifest, [blobPath('a')]: { status: 401 } },
      'canary blob answers 401',
    ],
  ];
  for (const [name, table, reason] of rows)
    t.match(await read(new Canary('library/canary:latest'), table), { state: 'failing', reason }, name);
  const hung = read(new Canary('library/canary:latest'), { [MANIFEST]: new Error('no answer') });
  await t.rejects(hung, /no answer/);
});

t.test('a blob that is redirected (and redirects are passed on), or comes whole', async (t) => {
  const manifest = { body: { layers: [{ digest: A, size: 5 }] } };
  const rows: [Scripted, string][] = [
    [{ status: 307, headers: { location: 'https://s3/x' } }, 'canary blob was found'],
    [{ status: 200, body: Buffer.alloc(100_000) }, 'canary blob was read'],
    [{ status: 206, body: Buffer.alloc(200_000) }, 'canary blob was read'],
  ];
  for (const [answer, reason] of rows)
    t.match(await read(new Canary('library/canary'), { [MANIFEST]: manifest, [blobPath('a')]: answer }), {
      state: 'good',
      reason,
    });
});

function standIns(count: number, repository = (index: number) => `app${index}`, sees = true): Canary {
  const canary = new Canary(undefined, sees);
  for (const letter of ['a', 'b', 'c', 'd', 'e', 'f'].slice(0, count))
    canary.rememberServed(repository(letter.charCodeAt(0) - 97), digest(letter), 10);
  return canary;
}

t.test('stand-ins: none at first, then the newest that can be read', async (t) => {
  const canary = new Canary(undefined);
  t.notOk(canary.configured);
  t.match(await read(canary, {}), { state: 'none', asked: [] });
  const three = standIns(3);
  t.match(await read(three, { [blobPath('c', 'app2')]: BYTE }), { state: 'good', asked: { length: 1 } });
  t.match(
    await read(three, { [blobPath('a', 'app0')]: BYTE }),
    { state: 'good', asked: { length: 3 } },
    'two were deleted',
  );
  t.match(
    await read(three, {}),
    { state: 'failing', reason: /^a blob served before answers 404 \(no canary is configured; the last 3/ },
    'all gone: storage is',
  );
});

t.test('stand-ins: one of them says little', async (t) => {
  t.match(await read(standIns(1), {}), { state: 'none' }, 'it may have been deleted');
  t.match(
    await read(standIns(1), { [blobPath('a', 'app0')]: { status: 500 } }),
    { state: 'failing' },
    'an error is an error',
  );
  await t.rejects(read(standIns(1), { [blobPath('a', 'app0')]: new Error('no answer') }), /no answer/);
});

t.test('stand-ins: four, of one image no more than two, none twice', async (t) => {
  t.equal((await read(standIns(6), {})).asked.length, 4);
  const one = (
    await read(
      standIns(6, () => 'app'),
      {},
    )
  ).asked;
  t.same(
    one.map(({ path }) => path),
    [blobPath('f', 'app'), blobPath('e', 'app')],
  );
  const canary = standIns(1);
  canary.rememberServed('app0', A, 10);
  t.equal((await read(canary, {})).asked.length, 1);
  const mixed = standIns(2);
  for (const letter of ['c', 'd', 'e']) mixed.rememberServed('hot', digest(letter), 1);
  const paths = (await read(mixed, {})).asked.map(({ path }) => path);
  t.same(paths, [blobPath('e', 'hot'), blobPath('d', 'hot'), blobPath('b', 'app1'), blobPath('a', 'app0')]);
  const configured = new Canary('library/canary');
  configured.rememberServed('app', A, 1);
  t.equal((await read(configured, {})).asked[0]?.path, MANIFEST, 'not where one is configured');
});

t.test('stand-ins: what clients deleted is none', async (t) => {
  const one = standIns(3);
  one.forgetDeleted('app1', digest('b'));
  t.equal((await read(one, {})).asked.length, 2, 'a blob');
  one.forgetDeleted('app1', digest('c'));
  t.equal((await read(one, {})).asked.length, 2, 'not that of another repository');
  const image = standIns(4, (index) => `app${index % 2}`);
  image.forgetDeleted('app0');
  t.same(
    (await read(image, {})).asked.map(({ path }) => path),
    [blobPath('d', 'app1'), blobPath('b', 'app1')],
    'an image',
  );
});

t.test('stand-ins: without credentials, what traffic could read may be denied', async (t) => {
  const denied: [string, Scripted][] = [
    ['401 with a challenge', { status: 401, headers: CHALLENGE }],
    ['403', { status: 403 }],
    ['404, as some hide what is private', { status: 404 }],
  ];
  for (const [name, answer] of denied) {
    const table = { [blobPath('a', 'app0')]: answer, [blobPath('b', 'app1')]: answer };
    t.match(await read(standIns(2, undefined, false), table), { state: 'none' }, name);
  }
  const canary = standIns(2, undefined, false);
  const open = { [blobPath('a', 'app0')]: BYTE };
  t.match(await read(canary, open), { state: 'good' }, 'a public one');
  t.match(await read(canary, {}), { state: 'failing' }, 'which then is gone');
});
