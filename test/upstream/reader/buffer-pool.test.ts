import t from 'tap';
import type { Chunk } from '../../../src/upstream/body/body-source.ts';
import { BUFFER_BYTES, BufferPool, type BufferSize } from '../../../src/upstream/reader/buffer-pool.ts';

const { large, medium, small } = BUFFER_BYTES;

function given(buffer: Chunk | undefined): Chunk {
  if (!buffer) throw new Error('the pool gave nothing');
  return buffer;
}

t.test('a buffer is used again after the last use of it, over memory that a worker can see', async (t) => {
  const pool = new BufferPool();
  const buffer = given(pool.acquire('large'));
  t.equal(buffer.bytes.length, large);
  t.ok(buffer.bytes.buffer instanceof SharedArrayBuffer);
  buffer.bytes.write('abcdef');
  const first = buffer.part(0, 3);
  const second = buffer.part(3, 6);
  buffer.release();
  t.equal(pool.inUseBytes, large, 'chunks of it are about');
  t.equal(`${first.bytes}${second.bytes}`, 'abcdef');
  first.release();
  second.retain().release();
  t.equal(pool.inUseBytes, large);
  second.release();
  t.strictSame([pool.inUseBytes, pool.freeBytes], [0, large]);
  const again = given(pool.acquire('large'));
  t.equal(again.bytes.buffer, buffer.bytes.buffer);
  t.strictSame([pool.inUseBytes, pool.freeBytes], [large, 0]);
});

t.test('a part of a large buffer is lent as a smaller one', async (t) => {
  const pool = new BufferPool();
  const buffer = given(pool.acquire('medium'));
  t.equal(buffer.bytes.length, medium);
  t.equal(pool.inUseBytes, medium);
  buffer.release();
  const again = given(pool.acquire('large'));
  t.equal(again.bytes.buffer, buffer.bytes.buffer);
  t.equal(again.bytes.length, large);
  t.not(given(pool.acquire('small')).bytes.buffer, buffer.bytes.buffer, 'those for slow clients are their own');
});

t.test('at the bound nothing is given until something comes back, in the order of asking', async (t) => {
  const pool = new BufferPool({ max: 2 * medium });
  const buffers = [given(pool.acquire('medium')), given(pool.acquire('medium'))];
  t.equal(pool.acquire('small'), undefined);
  const urgent = pool.acquireBeyondMax('small');
  t.equal(pool.inUseBytes, 2 * medium + small, 'bytes that are here already are put somewhere');
  urgent.release();
  const served: string[] = [];
  const waiter = (name: string) => () => {
    const buffer = pool.acquire('medium');
    if (buffer) served.push(name);
    else served.push(`${name} in vain`);
  };
  const gone = waiter('gone');
  pool.waitForMemory(gone);
  pool.waitForMemory(waiter('first'));
  pool.waitForMemory(waiter('second'));
  pool.stopWaiting(gone);
  t.strictSame(served, []);
  buffers[0]?.release();
  t.strictSame(served, ['first'], 'one came back, one is served');
  buffers[1]?.release();
  t.strictSame(served, ['first', 'second']);
});

t.test('who is given nothing may wait again from within its call', async (t) => {
  const pool = new BufferPool({ max: large });
  const buffer = given(pool.acquire('medium'));
  const other = given(pool.acquire('small'));
  let calls = 0;
  const greedy = () => {
    calls += 1;
    if (!pool.acquire('large')) pool.waitForMemory(greedy);
  };
  pool.waitForMemory(greedy);
  other.release();
  t.equal(calls, 1, 'and is not asked on and on');
  buffer.release();
  t.equal(calls, 2);
  t.equal(pool.inUseBytes, large);
});

t.test('one buffer is always given', async (t) => {
  const pool = new BufferPool({ max: 1 });
  t.ok(pool.acquire('large'));
  t.notOk(pool.acquire('small'));
});

t.test('the more bodies, the smaller their buffers', async (t) => {
  const pool = new BufferPool();
  const sizes = Array.from({ length: 100 }, () => {
    pool.addFastBody();
    return pool.fastSize;
  });
  const counts = (['large', 'medium', 'modest', 'small'] as const).map(
    (size) => sizes.filter((one) => one === size).length,
  );
  t.strictSame(counts, [8, 8, 16, 68]);
  for (let left = 100; left > 1; left -= 1) pool.removeFastBody();
  t.equal(pool.fastSize, 'large');
});

t.test('free buffers are dropped on demand, but for a little of each kind', async (t) => {
  const pool = new BufferPool({ keep: large });
  const lend = (count: number, size: BufferSize) => Array.from({ length: count }, () => given(pool.acquire(size)));
  const buffers = [...lend(4, 'large'), ...lend(12, 'small')];
  const [used] = lend(1, 'large');
  for (const buffer of buffers) buffer.release();
  t.equal(pool.freeBytes, 4 * large + 12 * small);
  pool.trim();
  t.equal(pool.freeBytes, large + 8 * small);
  t.equal(pool.inUseBytes, large);
  used?.release();
  t.equal(pool.freeBytes, 2 * large + 8 * small);
  t.equal(given(pool.acquire('large')).bytes.buffer, used?.bytes.buffer);
});
