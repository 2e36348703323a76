import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { CopyIntegrity, type VerifyPolicy } from '../../src/digest/copy-integrity.ts';
import {
  checkPartialBlob,
  checkWholeBlob,
  type DigestCheckOptions,
  type DigestFinding,
} from '../../src/digest/digest-check.ts';
import { Hasher } from '../../src/digest/hasher.ts';
import { Chunk } from '../../src/upstream/body/body-source.ts';

const BODY = Buffer.from('what was asked for');
const NO_BLAME = { verified: [], corrupt: [], unverified: [] };

function digestOf(algorithm: string): string {
  return `${algorithm}:${createHash(algorithm).update(BODY).digest('hex')}`;
}
const DIGEST = digestOf('sha256');

interface Parts extends DigestCheckOptions {
  hasher: Hasher;
  copies: CopyIntegrity;
  findings: DigestFinding[];
}

function make(t: Test, policy: VerifyPolicy = 'first'): Parts {
  const findings: DigestFinding[] = [];
  const hasher = new Hasher();
  t.teardown(() => hasher.close());
  return { hasher, copies: new CopyIntegrity(policy), findings, onFinding: (finding) => findings.push(finding) };
}

/** Someone reads this of the blob, whole. */
async function read(
  parts: DigestCheckOptions,
  body: Buffer,
  upstream = 'nas',
  digest = DIGEST,
  contributors = [upstream],
) {
  const check = checkWholeBlob(upstream, digest, parts);
  const chunk = new Chunk(body);
  check.update(chunk, body.subarray(0, 5));
  check.update(chunk, body.subarray(5));
  return check.verdict(contributors);
}

t.test('a right body, in each algorithm', async (t) => {
  for (const algorithm of ['sha256', 'sha384', 'sha512']) {
    const parts = make(t);
    const digest = digestOf(algorithm);
    t.equal(await read(parts, BODY, 'nas', digest), 'right', algorithm);
    t.ok(parts.copies.isVerified('nas', digest));
    const blame = { ...NO_BLAME, verified: ['nas'] };
    t.same(parts.findings, [{ digest, contributors: ['nas'], verdict: 'right', blame }]);
    t.equal(await read(parts, BODY, 'nas', digest), 'unknown', 'the next one is not hashed');
    t.equal(parts.findings.length, 1);
  }
});

t.test('a wrong body, until the copy is right again', async (t) => {
  const parts = make(t);
  t.equal(await read(parts, Buffer.from('something else')), 'wrong');
  t.match(parts.findings, [{ verdict: 'wrong', blame: { corrupt: ['nas'] } }]);
  t.equal(await checkPartialBlob(DIGEST, parts).verdict(['nas']), 'wrong', 'no part of it');
  t.equal(await checkPartialBlob(DIGEST, parts).verdict(['gcr', 'nas']), 'wrong', 'nor what it had a share in');
  t.equal(await checkPartialBlob(DIGEST, parts).verdict(['gcr']), 'unknown');
  t.same(parts.findings[1], { digest: DIGEST, contributors: ['nas'], verdict: 'wrong', blame: NO_BLAME });
  t.equal(await read(parts, BODY), 'right');
  t.equal(await checkPartialBlob(DIGEST, parts).verdict(['nas']), 'unknown');
});

t.test(
  'a coalesced transfer that was not hashed ends as wrong when the copy was found corrupt meanwhile',
  async (t) => {
    const parts = make(t);
    const [payer, follower] = [checkWholeBlob('nas', DIGEST, parts), checkWholeBlob('nas', DIGEST, parts)];
    payer.update(new Chunk(Buffer.from('bad')), Buffer.from('bad'));
    t.equal(follower.update(new Chunk(Buffer.from('bad')), Buffer.from('bad')), true);
    t.equal(parts.hasher.jobs, 1);
    t.equal(await payer.verdict(['nas']), 'wrong');
    t.equal(await follower.verdict(['nas']), 'wrong');
  },
);

t.test('without a thread: unknown, but not from a copy that is corrupt', async (t) => {
  const parts = make(t);
  const claimed = checkWholeBlob('nas', DIGEST, parts);
  await parts.hasher.close();
  t.equal(await claimed.verdict(['nas']), 'unknown');
  t.match(parts.findings, [{ verdict: 'unknown', blame: NO_BLAME, error: { name: 'HashUnavailable' } }]);
  t.notOk(parts.copies.isVerified('nas', DIGEST));
  t.same(parts.copies.counts(), { verified: 0, corrupt: 0, hashing: 0 }, 'its claim is free');
  parts.copies.claim('nas', DIGEST)?.wrong(['nas']);
  t.equal(await read(parts, BODY), 'wrong');
});

t.test('a digest that cannot be computed, or is no digest', async (t) => {
  const parts = make(t, 'always');
  for (const digest of ['sha1:da39a3ee', 'md5:00', 'nonsense', 'sha256:'])
    t.equal(await read(parts, BODY, 'nas', digest), 'unknown', digest);
  t.same(parts.copies.counts(), { verified: 0, corrupt: 0, hashing: 0 });
});

t.test('never: nothing is hashed', async (t) => {
  const parts = make(t, 'never');
  t.equal(await read(parts, Buffer.from('anything')), 'unknown');
  t.equal(parts.hasher.jobs, 0);
  t.same(parts.findings, []);
});

t.test('a transfer that broke off frees its claim and its bytes', async (t) => {
  const parts = make(t);
  const check = checkWholeBlob('nas', DIGEST, parts);
  const shared = Buffer.from(new SharedArrayBuffer(8));
  const freed = Promise.withResolvers<void>();
  const chunk = new Chunk(shared, freed.resolve);
  check.update(chunk, shared);
  chunk.release();
  check.abandon();
  t.same(parts.copies.counts(), { verified: 0, corrupt: 0, hashing: 0 });
  await freed.promise;
  t.equal(parts.hasher.jobs, 0);
  checkPartialBlob(DIGEST, parts).abandon();
});

t.test('who leaves while the verdict is found out does not stop it', async (t) => {
  const parts = make(t);
  const check = checkWholeBlob('nas', DIGEST, parts);
  check.update(new Chunk(BODY), BODY);
  const verdict = check.verdict(['nas']);
  check.abandon();
  t.equal(await verdict, 'right');
  t.ok(parts.copies.isVerified('nas', DIGEST));
});

t.test('room is told, later', async (t) => {
  const parts = make(t);
  const whole = checkWholeBlob('nas', DIGEST, parts);
  for (const check of [whole, checkPartialBlob(DIGEST, parts)]) {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      check.onDrain(() => {
        order.push('told');
        resolve();
      });
      order.push('asked');
    });
    t.same(order, ['asked', 'told']);
  }
  whole.abandon();
});
