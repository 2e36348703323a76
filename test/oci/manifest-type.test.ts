import fc from 'fast-check';
import t from 'tap';
import {
  accepts,
  acceptsEveryManifest,
  EVERY_MANIFEST,
  isIndexType,
  isManifestType,
  isSchema1Type,
  mediaTypeOf,
} from '../../src/oci/manifest-type.ts';

const IMAGE = 'application/vnd.docker.distribution.manifest.v2+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const OCI_IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const FOUR = [IMAGE, LIST, OCI_IMAGE, OCI_INDEX];

t.test('whether a client gets every tag as it is', async (t) => {
  const rows: [string | undefined, boolean][] = [
    [undefined, false],
    ['', false],
    ['*/*', false],
    ['application/*', false],
    [IMAGE, false],
    [FOUR.join(','), true],
    [FOUR.join(', '), true],
    [EVERY_MANIFEST, true],
    [`${FOUR.join(' ,')}, */*`, true],
    [FOUR.toReversed().join(';q=0.3, ').toUpperCase(), true],
    [`${FOUR.join(', ')};q=0`, false],
    [`${FOUR.join(', ')};q=0.000`, false],
    [`${FOUR.join(', ')};q=0.001`, true],
    [`${FOUR.join(', ')}; charset=utf-8; Q = 0`, false],
    [FOUR.join(' '), false],
    ...FOUR.map((left): [string, boolean] => [FOUR.filter((type) => type !== left).join(', '), false]),
    [`*/*, ${FOUR.slice(0, 3).join(', ')}`, false],
  ];
  for (const [accept, expected] of rows) t.equal(acceptsEveryManifest(accept), expected, `${accept}`);
});

t.test('whether a client takes a type', async (t) => {
  const rows: [string | undefined, string | undefined, boolean][] = [
    [undefined, LIST, true],
    [IMAGE, LIST, false],
    [IMAGE, `${IMAGE}; charset=utf-8`, true],
    [`${IMAGE}, ${LIST}`, LIST, true],
    [`${LIST};q=0`, LIST, false],
    ['application/*', LIST, true],
    ['*/*;q=0.1', LIST, true],
    [IMAGE, undefined, false],
  ];
  for (const [accept, type, expected] of rows) t.equal(accepts(accept, type), expected, `${accept} ${type}`);
});

t.test('what a type says', async (t) => {
  t.equal(mediaTypeOf(' Text/HTML ; charset=utf-8'), 'text/html');
  t.equal(mediaTypeOf(undefined), '');
  for (const type of [...FOUR, `${OCI_INDEX}; charset=utf-8`, 'application/vnd.oci.artifact.manifest.v1+json'])
    t.equal(isManifestType(type), 'yes', type);
  for (const type of [
    undefined,
    '',
    'application/json',
    'text/plain',
    'binary/octet-stream',
    'application/vnd.cncf+json',
  ])
    t.equal(isManifestType(type), 'perhaps', `${type}`);
  for (const type of ['text/html', 'image/png', 'application/xml', 'application/vnd.oci.image.layer.v1.tar+gzip'])
    t.equal(isManifestType(type), 'no', type);
  t.strictSame(FOUR.filter(isIndexType), [LIST, OCI_INDEX]);
  for (const end of ['json', 'prettyjws']) {
    const type = `application/vnd.docker.distribution.manifest.v1+${end}`;
    t.ok(isSchema1Type(type));
    t.equal(isManifestType(type), 'yes');
  }
  t.notOk(isSchema1Type(IMAGE));
});

t.test('property: no header makes it throw', async () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (accept, type) => {
      accepts(accept, type);
      return !acceptsEveryManifest(accept) || FOUR.every((one) => accept.includes(one));
    }),
  );
});
