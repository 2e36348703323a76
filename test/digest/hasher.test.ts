import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { HashAlgorithm } from '../../src/digest/hash-batch.ts';
import type { HashJob } from '../../src/digest/hash-job.ts';
import { Hasher, type HasherOptions } from '../../src/digest/hasher.ts';
import { Chunk } from '../../src/upstream/body/body-source.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const MIB = 1_048_576;
const UNAVAILABLE = { name: 'HashUnavailable' };

function makeHasher(t: Test, options?: HasherOptions): Hasher {
  const hasher = new Hasher(options);
  t.teardown(() => hasher.close());
  return hasher;
}

/** Memory that is spoilt as soon as it is given back, and counts what is on loan. */
class Loans {
  open = 0;

  take(content: Uint8Array, shared = true): Chunk {
    const bytes = shared ? Buffer.from(new SharedArrayBuffer(content.length)) : Buffer.alloc(content.length);
    bytes.set(content);
    this.open += 1;
    return new Chunk(bytes, () => {
      this.open -= 1;
      bytes.fill(0xa5);
    });
  }
}

function give(job: HashJob, chunk: Chunk): boolean {
  const room = job.update(chunk);
  chunk.release();
  return room;
}

function room(job: HashJob): Promise<void> {
  return new Promise((resolve) => job.onDrain(resolve));
}

function hashOf(algorithm: HashAlgorithm, ...parts: Uint8Array[]): string {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** A thread that takes everything and never answers. */
function silentWorker(): Worker {
  return new Worker("require('node:worker_threads').parentPort.on('message', () => {})", { eval: true });
}

function realWorker(): Worker {
  return new Worker(new URL('../../src/digest/hash-worker.js', import.meta.url));
}

const algorithm = fc.constantFrom<HashAlgorithm>('sha256', 'sha384', 'sha512');
const piece = fc.record({
  content: fc.uint8Array({ maxLength: 300 }),
  repeat: fc.integer({ min: 1, max: 400 }),
  shared: fc.boolean(),
  splits: fc.integer({ min: 1, max: 4 }),
});
const body = fc.record({ algorithm, pieces: fc.array(piece, { maxLength: 12 }), abandoned: fc.boolean() });

t.test('digests of bodies in any pieces, side by side, are those of createHash', async (t) => {
  const hasher = makeHasher(t);
  await fc.assert(
    fc.asyncProperty(fc.array(body, { minLength: 1, maxLength: 5 }), async (bodies) => {
      const loans = new Loans();
      const jobs = bodies.map((one) => ({ ...one, job: hasher.begin(one.algorithm), hash: createHash(one.algorithm) }));
      for (let index = 0; index < 12; index += 1) {
        for (const { job, pieces, hash } of jobs) {
          const next = pieces[index];
          if (!next) continue;
          const content = Buffer.concat(Array(next.repeat).fill(next.content));
          hash.update(content);
          const chunk = loans.take(content, next.shared);
          const step = Math.ceil(content.length / next.splits) || 1;
          for (let from = 0; from < content.length; from += step)
            job.update(chunk, chunk.bytes.subarray(from, from + step));
          chunk.release();
          if (!job.update(new Chunk(Buffer.alloc(0)))) await room(job);
        }
      }
      for (const { job, abandoned, hash } of jobs) {
        if (abandoned) job.abandon();
        else if ((await job.digest()) !== hash.digest('hex')) return false;
        if (job.backlog !== 0 && !abandoned) return false;
      }
      // Batches are answered in order: after this one, all that came before was read.
      await hasher.begin('sha256').digest();
      return loans.open === 0 && hasher.jobs === 0;
    }),
    { numRuns: propertyRuns(60) },
  );
});

t.test('a piece that does not begin where the last one ended is hashed by itself', async (t) => {
  const job = makeHasher(t).begin('sha256');
  const chunk = new Loans().take(Buffer.from('abcdefgh'));
  job.update(chunk, chunk.bytes.subarray(4, 6));
  job.update(chunk, chunk.bytes.subarray(6, 7));
  job.update(chunk, chunk.bytes.subarray(0, 3));
  job.update(chunk, chunk.bytes.subarray(3, 4));
  chunk.release();
  t.equal(await job.digest(), hashOf('sha256', Buffer.from('efgabcd')));
});

t.test('bytes of two jobs that lie side by side stay apart', async (t) => {
  const hasher = makeHasher(t);
  const [one, two] = [hasher.begin('sha256'), hasher.begin('sha256')];
  const chunk = new Loans().take(Buffer.from('abcdefgh'));
  one.update(chunk, chunk.bytes.subarray(0, 4));
  two.update(chunk, chunk.bytes.subarray(4));
  chunk.release();
  t.equal(await one.digest(), hashOf('sha256', Buffer.from('abcd')));
  t.equal(await two.digest(), hashOf('sha256', Buffer.from('efgh')));
});

t.test('the thread is told what was abandoned, so that it keeps nothing of it', async (t) => {
  const worker = realWorker();
  const hasher = makeHasher(t, { start: () => worker });
  const dropped: number[] = [];
  const post = worker.postMessage.bind(worker);
  worker.postMessage = (batch, transfer) => {
    dropped.push(...batch.dropped);
    post(batch, transfer);
  };
  const [sent, unsent] = [hasher.begin('sha256'), hasher.begin('sha256')];
  const digest = sent.digest();
  digest.catch(() => undefined);
  sent.abandon();
  unsent.abandon();
  await hasher.begin('sha256').digest();
  t.same(dropped, [1, 2]);
});

t.test('nothing of pooled memory that is not shared is detached', async (t) => {
  const job = makeHasher(t).begin('sha256');
  const [mine, neighbour] = [Buffer.from('mine'), Buffer.from('neighbour')];
  t.equal(mine.buffer, neighbour.buffer, 'small buffers share memory');
  const chunk = new Chunk(mine);
  job.update(chunk);
  t.equal(await job.digest(), hashOf('sha256', Buffer.from('mine')));
  t.equal(`${mine} ${neighbour}`, 'mine neighbour');
});

t.test('bytes that wait are bounded; there is room again when they were read', async (t) => {
  const hasher = makeHasher(t);
  const job = hasher.begin('sha512');
  const loans = new Loans();
  const content = Buffer.alloc(MIB / 4, 7);
  const hash = createHash('sha512');
  let most = 0;
  let pauses = 0;
  for (let index = 0; index < 64; index += 1) {
    hash.update(content);
    const more = give(job, loans.take(content));
    most = Math.max(most, job.backlog);
    if (more) continue;
    pauses += 1;
    await room(job);
    t.ok(job.backlog <= 2 * MIB, 'half of it was read');
  }
  t.ok(pauses > 0, 'it was too fast');
  t.ok(most <= 4 * MIB, `${most} bytes waited`);
  t.equal(await job.digest(), hash.digest('hex'));
  t.equal(loans.open, 0);
});

t.test('many jobs share the bound, and each may always have one large chunk', async (t) => {
  const hasher = makeHasher(t, { start: silentWorker });
  const jobs = Array.from({ length: 64 }, () => hasher.begin('sha256'));
  const loans = new Loans();
  const quarter = Buffer.alloc(MIB / 4);
  const room = jobs.map((job) => give(job, loans.take(quarter)));
  t.ok(room.every(Boolean), 'the first chunk of each');
  t.notOk(jobs.map((job) => give(job, loans.take(quarter))).some(Boolean), 'with the second it is half a MiB each');
  for (const job of jobs) job.abandon();
});

t.test('room is never told within the call that asks for it', async (t) => {
  const job = makeHasher(t).begin('sha256');
  let told = false;
  job.onDrain(() => {
    told = true;
  });
  t.notOk(told);
  await Promise.resolve();
  t.ok(told);
  job.abandon();
});

t.test('a chunk is not released before it was read, not even when nobody wants its digest', async (t) => {
  let worker: Worker | undefined;
  const hasher = makeHasher(t, {
    start: () => {
      worker = silentWorker();
      return worker;
    },
  });
  const loans = new Loans();
  const job = hasher.begin('sha256');
  give(job, loans.take(Buffer.alloc(2 * MIB)));
  give(job, loans.take(Buffer.alloc(10)));
  job.abandon();
  job.abandon();
  t.equal(hasher.jobs, 0);
  t.equal(loans.open, 2, 'both: one was sent, one waits to be');
  await t.rejects(job.digest(), UNAVAILABLE);
  give(job, loans.take(Buffer.alloc(10)));
  t.equal(loans.open, 2, 'it takes no more');
  await worker?.terminate();
  t.equal(loans.open, 0);
});

t.test('a job ends once', async (t) => {
  const hasher = makeHasher(t);
  const job = hasher.begin('sha256');
  const digest = job.digest();
  t.throws(() => job.update(new Chunk(Buffer.from('late'))), /after the digest/);
  t.equal(await digest, hashOf('sha256'));
  job.abandon();
  t.equal(await job.digest(), hashOf('sha256'), 'and stays what it was');
  const given = hasher.begin('sha256');
  given.digest().catch(() => undefined);
  given.abandon();
  await t.rejects(given.digest(), UNAVAILABLE);
});

t.test('a thread that dies makes digests unavailable, and the next job starts another', async (t) => {
  // As the listeners of an edge do: an answer that comes while the thread is being ended lets go of the process.
  const alive = setInterval(() => undefined, 60_000);
  t.teardown(() => clearInterval(alive));
  const workers: Worker[] = [];
  const deaths: Error[] = [];
  const hasher = makeHasher(t, {
    start: () => {
      const worker = realWorker();
      workers.push(worker);
      return worker;
    },
    onDeath: (error) => deaths.push(error),
  });
  const loans = new Loans();
  await hasher.begin('sha256').digest();

  const [asked, flowing] = [hasher.begin('sha256'), hasher.begin('sha256')];
  let more = true;
  while (more) more = give(flowing, loans.take(Buffer.alloc(MIB / 4)));
  const paused = room(flowing);
  await workers[0]?.terminate();
  await t.rejects(asked.digest(), UNAVAILABLE);
  await paused;
  await t.rejects(flowing.digest(), UNAVAILABLE);
  t.equal(loans.open, 0);
  t.equal(deaths.length, 1);

  const next = hasher.begin('sha256');
  give(next, loans.take(Buffer.from('again')));
  t.equal(await next.digest(), hashOf('sha256', Buffer.from('again')));
  t.equal(workers.length, 2);
});

t.test('a thread that throws says why', async (t) => {
  const deaths: Error[] = [];
  let worker: Worker | undefined;
  const hasher = makeHasher(t, {
    start: () => {
      worker = realWorker();
      return worker;
    },
    onDeath: (error) => deaths.push(error),
  });
  const job = hasher.begin('sha256');
  await once(worker ?? t, 'online');
  worker?.postMessage({ begun: [], jobs: [], pieces: [], finished: [99], dropped: [] });
  await t.rejects(job.digest(), UNAVAILABLE);
  t.match(deaths, [{ cause: { message: 'hash job 99 is not known' } }]);
});

t.test('a thread that never comes up is not started for every job', async (t) => {
  let now = 0;
  let starts = 0;
  const deaths: Error[] = [];
  const hasher = makeHasher(t, {
    now: () => now,
    start: () => {
      starts += 1;
      if (starts === 2) throw new Error('no more threads');
      return new Worker(starts === 1 ? 'process.exit(3)' : 'throw new Error("broken")', { eval: true });
    },
    onDeath: (error) => deaths.push(error),
  });
  const digest = () => hasher.begin('sha256').digest();
  await t.rejects(digest(), UNAVAILABLE);
  await t.rejects(digest(), UNAVAILABLE);
  t.equal(starts, 1, 'it rests');
  now = 5000;
  await t.rejects(digest(), UNAVAILABLE);
  await t.rejects(digest(), UNAVAILABLE);
  t.equal(starts, 2);
  now = 10_000;
  await t.rejects(digest(), UNAVAILABLE);
  t.equal(starts, 3);
  t.match(deaths, [/ended with status 3/, { cause: { message: 'no more threads' } }, { cause: { message: 'broken' } }]);
});

t.test('after close nothing is computed, and nobody waits', async (t) => {
  const deaths: Error[] = [];
  const hasher = makeHasher(t, { onDeath: (error) => deaths.push(error) });
  const loans = new Loans();
  const job = hasher.begin('sha256');
  give(job, loans.take(Buffer.alloc(100)));
  await hasher.close();
  await hasher.close();
  await t.rejects(job.digest(), UNAVAILABLE);
  await t.rejects(hasher.begin('sha256').digest(), UNAVAILABLE);
  t.equal(loans.open, 0);
  t.same(deaths, [], 'that is no death');
});
