import fc from 'fast-check';
import t from 'tap';
import {
  listedReferrers,
  referrerOf,
  referrersPage,
  referrersTag,
  subjectOfTag,
  supportShown,
  withoutReferrer,
  withReferrers,
} from '../../src/oci/referrers-list.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const [SUBJECT, DIGEST, OTHER] = ['a', 'b', 'c'].map((letter) => `sha256:${letter.repeat(64)}`) as [
  string,
  string,
  string,
];

function manifest(more: object): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, layers: [], ...more }));
}

const about = { subject: { mediaType: MANIFEST, digest: SUBJECT, size: 1 } };
const config = { mediaType: 'a/config', digest: OTHER, size: 2 };

t.test('tags of lists', async (t) => {
  t.equal(referrersTag(SUBJECT), `sha256-${'a'.repeat(64)}`);
  t.equal(subjectOfTag(referrersTag(SUBJECT)), SUBJECT);
  t.equal(subjectOfTag(`sha512-${'0'.repeat(128)}`), `sha512:${'0'.repeat(128)}`);
  for (const tag of [
    'latest',
    `sha256-${'a'.repeat(63)}`,
    `sha256-${'a'.repeat(64)}.sig`,
    `sha256-${'A'.repeat(64)}`,
    `x${referrersTag(SUBJECT)}`,
  ])
    t.equal(subjectOfTag(tag), undefined, tag);
});

t.test('entries of lists', async (t) => {
  const type = (more: object) => referrerOf(manifest({ ...about, ...more }), MANIFEST, DIGEST)?.entry.artifactType;
  t.equal(type({ artifactType: 'a/sbom', config }), 'a/sbom');
  t.equal(type({ config }), 'a/config', 'of the configuration where the manifest names none');
  t.equal(type({ artifactType: '', config }), 'a/config');
  t.equal(type({}), undefined);
  t.equal(type({ config: null }), undefined);
  t.equal(type({ artifactType: 5, config }), 'a/config');
  const bytes = manifest({ ...about, annotations: { made: 'today' } });
  t.strictSame(referrerOf(bytes, MANIFEST, DIGEST), {
    subject: SUBJECT,
    entry: { mediaType: MANIFEST, digest: DIGEST, size: bytes.length, annotations: { made: 'today' } },
  });
  for (const annotations of [null, 'today', ['today']])
    t.notOk('annotations' in (referrerOf(manifest({ ...about, annotations }), MANIFEST, DIGEST)?.entry ?? {}));
  t.equal(referrerOf(manifest({}), MANIFEST, DIGEST), undefined, 'about nothing');
  t.equal(referrerOf(Buffer.from('<html>'), MANIFEST, DIGEST), undefined);
});

t.test('a list with one more', async (t) => {
  const entry = (digest: string) => ({ mediaType: MANIFEST, digest, size: 3 });
  const first = withReferrers(undefined, [entry(DIGEST)]);
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json' };
  t.strictSame(JSON.parse(String(first)), { ...index, manifests: [entry(DIGEST)] });
  t.equal(withReferrers(first, [entry(DIGEST)]), undefined, 'it is there');
  t.strictSame(JSON.parse(String(withReferrers(first, [entry(DIGEST), entry(OTHER)]))).manifests, [
    entry(DIGEST),
    entry(OTHER),
  ]);
  const others: [Buffer, RegExp][] = [
    [manifest({ config }), /^it is no index$/],
    [Buffer.from('[]'), /no JSON object/],
    [Buffer.from('{"schemaVersion":1}'), /schema 1/],
  ];
  for (const [other, message] of others) {
    t.throws(() => withReferrers(other, [entry(DIGEST)]), { message }, String(other));
    t.throws(() => withoutReferrer(other, DIGEST), { message }, String(other));
    t.equal(listedReferrers(other), undefined, String(other));
  }
  const both = withReferrers(first, [entry(OTHER)]) ?? Buffer.alloc(0);
  t.strictSame(listedReferrers(both), [entry(DIGEST), entry(OTHER)]);
  t.strictSame(JSON.parse(String(withoutReferrer(both, DIGEST))), { ...index, manifests: [entry(OTHER)] });
  t.equal(withoutReferrer(both, SUBJECT), undefined, 'it is not there');
});

t.test('what an answer shows of the registry', async (t) => {
  const list = Buffer.from('{"schemaVersion":2,"manifests":[]}');
  for (const status of [400, 404, 405, 501]) t.equal(supportShown(status, list), 'lacks');
  t.equal(supportShown(200, list), 'has');
  t.equal(supportShown(200, Buffer.from('{"schemaVersion":2,"manifests":null}')), 'has', 'as Go writes an empty list');
  t.equal(supportShown(200, Buffer.from('<html>')), 'unknown', 'a page for everything');
  for (const status of [401, 403, 429, 500, 503]) t.equal(supportShown(status, list), 'unknown');
});

t.test('pages', async (t) => {
  const named = (number: number, artifactType = 'a/x') => ({ digest: `sha256:${number}`, artifactType });
  const indexOf = (manifests: unknown) => Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }));
  const read = (index: Buffer | undefined, query = '') => {
    const page = referrersPage(index, new URLSearchParams(query));
    if (!page) return undefined;
    const { schemaVersion, mediaType, manifests } = JSON.parse(String(page.body));
    t.strictSame([schemaVersion, mediaType], [2, 'application/vnd.oci.image.index.v1+json']);
    const numbers = manifests.map(({ digest }: { digest: string }) => Number(digest.slice(7)));
    return { numbers, next: page.next && String(page.next), filtered: page.filtered };
  };
  const listed = [1, 2, 3, 4, 5].map((number) => named(number, number % 2 ? 'a/x' : 'a/y'));
  const five = indexOf([...listed, 'no entry']);
  const rows: [query: string, numbers: number[], next?: string][] = [
    ['', [1, 2, 3, 4, 5]],
    ['n=2', [1, 2], 'n=2&last=sha256%3A2'],
    ['n=2&last=sha256:2', [3, 4], 'n=2&last=sha256%3A4'],
    ['n=2&last=sha256:4', [5]],
    ['last=sha256:5', []],
    ['last=sha256:9', [1, 2, 3, 4, 5]],
    ['n=5', [1, 2, 3, 4, 5]],
    ['n=0', [1, 2, 3, 4, 5]],
    ['n=-1', [1, 2, 3, 4, 5]],
    ['n=1.5', [1, 2, 3, 4, 5]],
    ['n=x', [1, 2, 3, 4, 5]],
    ['artifactType=a/y', [2, 4]],
    ['artifactType=a/y&n=1', [2], 'artifactType=a%2Fy&n=1&last=sha256%3A2'],
    ['artifactType=a/y&artifactType=a/x', [1, 2, 3, 4, 5]],
    ['artifactType=a/z', []],
    ['artifactType=', []],
  ];
  for (const [query, numbers, next] of rows)
    t.strictSame(read(five, query), { numbers, next, filtered: query.includes('artifactType') }, query);
  t.strictSame(read(undefined), { numbers: [], next: undefined, filtered: false }, 'no index');
  t.strictSame(read(indexOf(null)), { numbers: [], next: undefined, filtered: false }, 'an empty one');
  t.equal(read(Buffer.from('<html>')), undefined);
  t.equal(read(manifest({ config })), undefined, 'an image');
  const long = Array.from({ length: 1001 }, (_, number) => named(number));
  for (const query of ['', 'n=5000']) t.equal(read(indexOf(long), query)?.numbers.length, 1000, 'a bounded page');
});

t.test('pages put together are the list', async () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat({ max: 50 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 12 }),
      fc.option(fc.constantFrom('0', '1'), { nil: undefined }),
      (numbers, n, type) => {
        const manifests = numbers.map((one) => ({ digest: `sha256:${one}`, artifactType: String(one % 2) }));
        const mediaType = 'application/vnd.oci.image.index.v1+json';
        const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
        const found: object[] = [];
        const first = new URLSearchParams({ n: String(n), ...(type === undefined ? {} : { artifactType: type }) });
        for (let query: URLSearchParams | undefined = first; query; ) {
          const page = referrersPage(index, query);
          found.push(...JSON.parse(String(page?.body)).manifests);
          query = page?.next;
        }
        const wanted = manifests.filter(({ artifactType }) => type === undefined || artifactType === type);
        return JSON.stringify(found) === JSON.stringify(wanted);
      },
    ),
    { numRuns: propertyRuns(1000) },
  );
});
