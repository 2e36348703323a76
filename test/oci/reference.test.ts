import fc from 'fast-check';
import t from 'tap';
import {
  canBeChecked,
  imageName,
  isDigest,
  isDigestOf,
  isReference,
  isRepository,
  isRepositoryPrefix,
  isTag,
  sha256,
} from '../../src/oci/reference.ts';
import { timeLimit } from '../helpers/time-limit.ts';

t.test('repositories', async (t) => {
  for (const good of ['a', 'library/app', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', '0/1/2', 'a'.repeat(255)])
    t.ok(isRepository(good), good);
  const bad = [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'A',
    'a.',
    '.a',
    'a..b',
    'a._b',
    'a___b',
    'a-_b',
    '-a',
    'a:1',
    'a b',
    'a\n',
    'é',
  ];
  for (const one of [...bad, 'a'.repeat(256)]) t.notOk(isRepository(one), JSON.stringify(one));
});

t.test('prefixes are whole components', async (t) => {
  for (const good of ['a/', 'library/', 'a/b/', `${'a'.repeat(254)}/`]) t.ok(isRepositoryPrefix(good), good);
  for (const bad of ['', '/', 'a', 'a//', '/a/', 'A/', 'a-/', `${'a'.repeat(255)}/`])
    t.notOk(isRepositoryPrefix(bad), bad);
});

t.test('tags', async (t) => {
  for (const good of ['a', 'A', '_', '_.-', '1.2.3-RC_1', 'x'.repeat(128)]) t.ok(isTag(good), good);
  for (const bad of ['', '.a', '-a', 'a:b', 'a/b', 'a b', 'a\n', 'x'.repeat(129)])
    t.notOk(isTag(bad), JSON.stringify(bad));
});

t.test('digests', async (t) => {
  const hex = (length: number) => '0f'.repeat(length / 2);
  const good = [
    `sha256:${hex(64)}`,
    `sha384:${hex(96)}`,
    `sha512:${hex(128)}`,
    'md5:00',
    'a+b.c-d_e:Zz=_-9',
    'constructor:x',
    'valueof:x',
    `a:${'b'.repeat(254)}`,
  ];
  for (const one of good) t.ok(isDigest(one), one);
  const bad = [
    '',
    'sha256',
    'sha256:',
    `sha256:${hex(62)}`,
    `sha256:${hex(66)}`,
    `sha256:${hex(64).toUpperCase()}`,
    `sha256:${hex(62)}gg`,
    `sha384:${hex(64)}`,
    `sha384:${hex(96)}zz`,
    `sha384:zz${hex(96)}`,
    `sha512:${hex(64)}`,
    `sha512:${hex(128)}zz`,
    `sha512:zz${hex(128)}`,
    `SHA256:${hex(64)}`,
    `sha256:${hex(64)}:x`,
    `+sha:${hex(64)}`,
    'a++b:00',
    'a:b/c',
    'a:..',
    `a:${'b'.repeat(255)}`,
  ];
  for (const one of bad) t.notOk(isDigest(one), one);
});

t.test('a reference is one or the other', async (t) => {
  t.ok(isReference('latest'));
  t.ok(isReference(`sha256:${'0'.repeat(64)}`));
  t.notOk(isReference('sha256:0'));
  t.notOk(isReference(''));
});

t.test('property: no text whatever takes long or throws', async () => {
  const hostile = fc.oneof(
    fc.string({ maxLength: 2000 }),
    fc
      .tuple(fc.constantFrom('a-', 'a_', 'a', 'a.', '-', 'a/'), fc.nat(40_000))
      .map(([text, times]) => text.repeat(times)),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      const started = performance.now();
      for (const check of [isRepository, isRepositoryPrefix, isTag, isDigest, isReference]) check(text);
      return performance.now() - started < timeLimit(100);
    }),
  );
});

t.test('the name of an image, and the digest of bytes', async (t) => {
  const digest = 'sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';
  t.equal(sha256(Buffer.from('foo')), digest);
  t.equal(imageName('library/app', '1.2'), 'library/app:1.2');
  t.equal(imageName('library/app', digest), `library/app@${digest}`);
});

t.test('whether bytes have a digest', async (t) => {
  const bytes = Buffer.from('foo');
  t.equal(isDigestOf(sha256(bytes), bytes), true);
  t.equal(isDigestOf(sha256(bytes), Buffer.from('bar')), false);
  t.equal(isDigestOf(`sha512:${'ab'.repeat(64)}`, bytes), false);
  t.equal(isDigestOf('blake3:abc', bytes), undefined, 'it cannot be computed');
  t.equal(isDigestOf('', bytes), undefined);
  for (const digest of [sha256(bytes), `sha512:${'ab'.repeat(64)}`, 'blake3:abc', ''])
    t.equal(canBeChecked(digest), isDigestOf(digest, bytes) !== undefined, `the same without the bytes: ${digest}`);
});
