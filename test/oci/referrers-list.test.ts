import t from 'tap';
import { referrerOf, referrersTag, subjectOfTag, withReferrer } from '../../src/oci/referrers-list.ts';

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
  const first = withReferrer(undefined, entry(DIGEST));
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json' };
  t.strictSame(JSON.parse(String(first)), { ...index, manifests: [entry(DIGEST)] });
  t.equal(withReferrer(first, entry(DIGEST)), undefined, 'it is there');
  t.strictSame(JSON.parse(String(withReferrer(first, entry(OTHER)))).manifests, [entry(DIGEST), entry(OTHER)]);
  const others: [Buffer, RegExp][] = [
    [manifest({ config }), /^it is no index$/],
    [Buffer.from('[]'), /no JSON object/],
    [Buffer.from('{"schemaVersion":1}'), /schema 1/],
  ];
  for (const [other, message] of others) t.throws(() => withReferrer(other, entry(DIGEST)), { message }, String(other));
});
