import t from 'tap';
import { misfit, type ServedFacts, saysTooLittle } from '../../src/failover/served-answer.ts';
import { sha256 } from '../../src/oci/reference.ts';

const DIGEST = sha256(Buffer.from('some bytes'));
const OTHER = sha256(Buffer.from('other bytes'));
const SHA512 = `sha512:${'ab'.repeat(64)}`;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

const usual: ServedFacts = {
  content: 'manifest',
  method: 'GET',
  range: undefined,
  anyRange: false,
  conditional: false,
  digest: undefined,
  status: 200,
  contentType: MANIFEST,
  contentRange: undefined,
  contentLength: 10,
  toldDigest: DIGEST,
  redirected: false,
};
const blob = {
  content: 'blob',
  contentType: 'application/octet-stream',
  digest: DIGEST,
  toldDigest: undefined,
} as const;
const EVERY = ['manifest', 'blob', 'tags', 'referrers', 'catalog'] as const;

/** Undefined: the answer fits. */
const ROWS: [string, Partial<ServedFacts>, string | undefined][] = [
  ['a manifest', {}, undefined],
  ['a manifest by digest', { digest: DIGEST }, undefined],
  ['HEAD', { method: 'HEAD' }, undefined],
  ['a version check of any type', { content: 'ping', contentType: 'text/html', toldDigest: 'none' }, undefined],
  ['a version check without content', { content: 'ping', status: 204 }, 'it answers 204 to a GET'],
  ...[201, 202, 203, 204, 205, 226].flatMap((status) =>
    EVERY.map((content): [string, Partial<ServedFacts>, string] => [
      `${status} for ${content}`,
      { content, status },
      `it answers ${status} to a GET`,
    ]),
  ),
  ['204 to a HEAD', { ...blob, method: 'HEAD', status: 204 }, 'it answers 204 to a HEAD'],
  ['206 without Range', { status: 206, contentRange: 'bytes 0-9/10' }, 'it answers 206 to a request without Range'],
  ['206 to a Range', { ...blob, status: 206, range: 'bytes=0-9', contentRange: 'bytes 0-9/90' }, undefined],
  [
    '206 with another range',
    { ...blob, status: 206, range: 'bytes=5-', contentRange: 'bytes 0-9/10' },
    'it answers "bytes=5-" with "bytes 0-9/10"',
  ],
  [
    '206 that tells no range',
    { ...blob, status: 206, range: 'bytes=5-' },
    'it answers "bytes=5-" with "no Content-Range"',
  ],
  ['206 that the caller checks', { ...blob, status: 206, range: 'bytes=5-', anyRange: true }, undefined],
  ['200 to a Range', { ...blob, range: 'bytes=5-' }, undefined],
  ['304 to a condition', { status: 304, conditional: true, contentType: undefined }, undefined],
  ['304 without one', { status: 304 }, 'it answers 304 to a request without a condition'],
  ['304 for another digest', { status: 304, conditional: true, digest: OTHER }, `it says that ${OTHER} is ${DIGEST}`],
  ...EVERY.map((content): [string, Partial<ServedFacts>, string] => [
    `a web page for ${content}`,
    { content, contentType: 'Text/HTML; charset=utf-8' },
    'it answers with a web page',
  ]),
  ['a web page in XML', { ...blob, contentType: 'application/xhtml+xml' }, 'it answers with a web page'],
  [
    'an image for a manifest',
    { contentType: 'image/png' },
    'its answer has the type "image/png", which is no manifest\'s',
  ],
  ['a generic type', { contentType: 'application/json' }, undefined],
  ['no type', { contentType: undefined }, undefined],
  ['a generic type for a HEAD', { method: 'HEAD', contentType: 'text/plain' }, undefined],
  [
    'a generic type for a HEAD without a digest',
    { method: 'HEAD', contentType: 'text/plain', toldDigest: undefined },
    'its answer has the type "text/plain", which is no manifest\'s',
  ],
  [
    'the same from storage',
    { method: 'HEAD', contentType: 'binary/octet-stream', toldDigest: undefined, redirected: true },
    undefined,
  ],
  [
    'an index that docker made',
    { contentType: 'application/vnd.docker.distribution.manifest.list.v2+json' },
    undefined,
  ],
  ['schema 1', { contentType: 'application/vnd.docker.distribution.manifest.v1+prettyjws' }, undefined],
  ['another digest', { digest: OTHER }, `it says that ${OTHER} is ${DIGEST}`],
  ['another digest of a blob', { ...blob, toldDigest: OTHER }, `it says that ${DIGEST} is ${OTHER}`],
  ['a digest of another algorithm', { digest: SHA512 }, undefined],
  ['a digest that is none', { toldDigest: 'sha256:abc' }, 'it names a digest that is none'],
  ['no bytes for a blob', { ...blob, contentLength: 0 }, `it has no bytes for ${DIGEST}`],
  ['no bytes for the empty blob', { ...blob, contentLength: 0, digest: sha256(Buffer.alloc(0)) }, undefined],
  ['no bytes for a digest that cannot be computed', { ...blob, contentLength: 0, digest: 'blake3:abc' }, undefined],
  ['a HEAD without a length', { ...blob, method: 'HEAD', contentLength: 0 }, undefined],
];

t.test('whether the head of an answer fits the request', async (t) => {
  for (const [says, facts, expected] of ROWS) t.equal(misfit({ ...usual, ...facts })?.detail, expected, says);
});

t.test('the failure of an answer that does not fit', async (t) => {
  t.equal(misfit({ ...usual, status: 204 })?.reason, 'malformed');
  t.equal(misfit({ ...usual, digest: OTHER })?.reason, 'digest');
});

t.test('whether a HEAD of a manifest is completed by a GET', async (t) => {
  const whole = { status: 200, redirected: false, contentLength: 500, toldDigest: 'sha256:0' };
  const rows: [says: string, given: Partial<typeof whole> | { contentLength: undefined }, completed: boolean][] = [
    ['all is there', {}, false],
    ['no length', { contentLength: undefined }, true],
    ['an empty one', { contentLength: 0 }, true],
    ['405', { status: 405 }, true],
    ['404', { status: 404 }, false],
    ['storage refuses', { status: 403, redirected: true }, true],
    ['storage fails', { status: 500, redirected: true }, false],
    ['304', { status: 304, contentLength: undefined }, false],
  ];
  for (const [says, given, completed] of rows) t.equal(saysTooLittle({ ...whole, ...given }), completed, says);
  t.ok(saysTooLittle({ ...whole, toldDigest: undefined }), 'no digest');
});
