import fc from 'fast-check';
import t from 'tap';
import { MANIFEST_TYPES, type ManifestContent, readManifestContent } from '../../src/oci/manifest-content.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const [MANIFEST = '', INDEX = '', LIST = '', DOCKER = ''] = MANIFEST_TYPES;
const hex = (letter: string) => `sha256:${letter.repeat(64)}`;
const layer = (letter: string, more = {}) => ({ mediaType: 'a/layer', digest: hex(letter), size: 1, ...more });
const part = (letter: string, mediaType = 'a/layer') => ({ mediaType, digest: hex(letter), size: 1 });

const read = (content: unknown, type?: string) => readManifestContent(Buffer.from(JSON.stringify(content)), type);

t.test('types of manifests', async (t) => {
  t.strictSame(MANIFEST_TYPES, [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.oci.artifact.manifest.v1+json',
  ]);
});

t.test('what has to be there before a manifest', async (t) => {
  const table: [string, unknown, string | undefined, Partial<ManifestContent>][] = [
    [
      'an image',
      { mediaType: MANIFEST, config: layer('a'), layers: [layer('b'), layer('c')] },
      MANIFEST,
      {
        mediaType: MANIFEST,
        blobs: [part('a'), part('b'), part('c')],
        children: [],
        subject: undefined,
      },
    ],
    [
      'each once',
      { layers: [layer('b'), layer('b'), layer('a'), layer('b')] },
      MANIFEST,
      { blobs: [part('b'), part('a')] },
    ],
    [
      'an index',
      { manifests: [part('a', MANIFEST), part('b', INDEX)] },
      INDEX,
      {
        children: [part('a', MANIFEST), part('b', INDEX)],
        blobs: [],
      },
    ],
    ['children of no type', { manifests: [{ digest: hex('a'), size: 1 }] }, INDEX, { children: [part('a', '')] }],
    [
      'a cache of BuildKit',
      {
        mediaType: INDEX,
        manifests: [
          part('a', 'application/vnd.oci.image.layer.v1.tar+gzip'),
          part('b', 'application/vnd.buildkit.cacheconfig.v0'),
        ],
      },
      INDEX,
      {
        children: [],
        blobs: [
          part('a', 'application/vnd.oci.image.layer.v1.tar+gzip'),
          part('b', 'application/vnd.buildkit.cacheconfig.v0'),
        ],
      },
    ],
    [
      'an artifact',
      { mediaType: MANIFEST_TYPES[4], blobs: [layer('a')], subject: part('b', MANIFEST) },
      undefined,
      {
        mediaType: MANIFEST_TYPES[4] ?? '',
        blobs: [part('a')],
        subject: part('b', MANIFEST),
      },
    ],
    [
      'nulls',
      { config: null, layers: null, manifests: null, subject: null },
      DOCKER,
      { mediaType: DOCKER, blobs: [], children: [] },
    ],
    ['its own type goes first', { mediaType: DOCKER }, `${MANIFEST}; charset=utf-8`, { mediaType: DOCKER }],
    ['parameters do not count', {}, `${LIST.toUpperCase()} ; charset=utf-8`, { mediaType: LIST }],
    ['a type that says nothing, of an image', { config: layer('a') }, 'application/json', { mediaType: MANIFEST }],
    ['a type that says nothing, of an index', { manifests: [] }, 'application/octet-stream', { mediaType: INDEX }],
    ['no type at all', { manifests: [] }, undefined, { mediaType: INDEX }],
    [
      'a layer that is elsewhere',
      {
        layers: [
          layer('a', { mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', urls: ['https://x'] }),
          layer('b'),
        ],
      },
      DOCKER,
      { blobs: [part('b')] },
    ],
    [
      'a foreign layer that is nowhere else',
      { layers: [layer('a', { mediaType: 'x/y.foreign.z' })] },
      DOCKER,
      { blobs: [part('a', 'x/y.foreign.z')] },
    ],
    [
      'a foreign layer whose list of places is empty',
      { layers: [layer('a', { mediaType: 'x/y.foreign.z', urls: [] })] },
      DOCKER,
      { blobs: [part('a', 'x/y.foreign.z')] },
    ],
    ['a type that begins like one that says nothing', {}, 'application/jsonx', { mediaType: 'application/jsonx' }],
    ['a type that ends like one that says nothing', {}, 'x-application/json', { mediaType: 'x-application/json' }],
    ['as many parts as may be', { layers: Array(10_000).fill(layer('a')) }, MANIFEST, { blobs: [part('a')] }],
    [
      'an ordinary layer that is elsewhere too',
      { layers: [layer('a', { urls: ['https://x'] })] },
      DOCKER,
      { blobs: [part('a')] },
    ],
    [
      'other digests',
      { layers: [{ digest: `sha512:${'a'.repeat(128)}`, size: 0 }] },
      MANIFEST,
      { blobs: [{ mediaType: '', digest: `sha512:${'a'.repeat(128)}`, size: 0 }] },
    ],
  ];
  for (const [name, content, type, expected] of table) {
    const reading = Object.entries(read(content, type)).filter(([key]) => key in expected);
    t.strictSame(Object.fromEntries(reading), expected, name);
  }
  const whole = read({ layers: [layer('b'), layer('b')] }, MANIFEST);
  t.equal('blobs' in whole && whole.blobs.length, 1);
});

t.test('what is none that can be copied', async (t) => {
  const table: [string, unknown, string | undefined, RegExp][] = [
    ['schema 1', { schemaVersion: 1 }, undefined, /schema 1/],
    ['schema 1 by its type', {}, 'application/vnd.docker.distribution.manifest.v1+prettyjws', /schema 1/],
    ['an array', [], MANIFEST, /no JSON object/],
    ['a word', 'x', MANIFEST, /no JSON object/],
    ['nothing', null, MANIFEST, /no JSON object/],
    ['no list', { layers: {} }, MANIFEST, /a list in it is none/],
    ['a part that is none', { layers: ['x'] }, MANIFEST, /named by no digest/],
    ['a digest that is none', { config: { digest: 'sha256:../../x', size: 1 } }, MANIFEST, /named by no digest/],
    ['a size below zero', { config: layer('a', { size: -1 }) }, MANIFEST, /is no number of bytes/],
    [
      'half a byte',
      { config: layer('a', { size: 0.5 }) },
      MANIFEST,
      /^the size of sha256:aaaaaaaaaaaa is no number of bytes$/,
    ],
    ['more than can be counted', { config: layer('a', { size: 2 ** 53 }) }, MANIFEST, /is no number of bytes/],
    ['a size in words', { config: layer('a', { size: '1' }) }, MANIFEST, /is no number of bytes/],
    ['too much', { layers: Array.from({ length: 10_001 }, () => layer('a')) }, MANIFEST, /more than 10000 parts/],
  ];
  for (const [name, content, type, problem] of table) t.match(read(content, type), { problem }, name);
  t.match(
    readManifestContent(Buffer.from('{"a":"\xff"}', 'latin1'), MANIFEST),
    { problem: /no JSON object/ },
    'no UTF-8',
  );
  t.match(readManifestContent(Buffer.from('<html>'), 'text/html'), { problem: /no JSON object/ });
});

t.test('anything at all is read, or has a problem', async () => {
  const isRead = (bytes: Uint8Array, type?: string) => {
    const reading = readManifestContent(bytes, type);
    if ('problem' in reading) return reading.problem !== '';
    return [...reading.blobs, ...reading.children].every(({ digest, size }) => /^[^:]+:./.test(digest) && size >= 0);
  };
  fc.assert(fc.property(fc.uint8Array(), fc.option(fc.string(), { nil: undefined }), isRead));
  fc.assert(fc.property(fc.json(), (text) => isRead(Buffer.from(text))));
  const keys = fc.constantFrom('manifests', 'layers', 'blobs', 'config', 'subject', 'mediaType', 'schemaVersion');
  const descriptor = fc.record(
    {
      digest: fc.oneof(fc.constant(hex('a')), fc.string(), fc.jsonValue()),
      size: fc.oneof(fc.nat(), fc.jsonValue()),
      mediaType: fc.oneof(fc.constantFrom(...MANIFEST_TYPES), fc.jsonValue()),
      urls: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const value = fc.oneof(fc.array(descriptor), descriptor, fc.jsonValue());
  fc.assert(
    fc.property(fc.dictionary(keys, value), (content) => isRead(Buffer.from(JSON.stringify(content)))),
    { numRuns: propertyRuns(500) },
  );
});
