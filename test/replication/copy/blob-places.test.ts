import { mock } from 'node:test';
import t from 'tap';
import { BlobPlaces } from '../../../src/replication/copy/blob-places.ts';
import { until } from '../../helpers/until.ts';

const never = new AbortController().signal;

/** Places, and transfers that last until they are ended. */
function made(places: number) {
  const clock = { now: 1000 };
  const limit = new BlobPlaces(places, () => clock.now);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const owners = new Map<string, object>();
  /** `a1` is a transfer of the image `a`. */
  const transfer = (name: string, signal = never) => {
    const image = name.slice(0, 1);
    const owner = owners.get(image) ?? {};
    owners.set(image, owner);
    return limit.run(owner, signal, () => {
      begun.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    });
  };
  return { clock, begun, transfer, end: (name: string) => ends.get(name)?.() };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

t.test('places are kept, and the image that held some for the shortest time is next', async (t) => {
  const { clock, begun, transfer, end } = made(2);
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1']) void transfer(name);
  await settled();
  t.strictSame(begun, ['a1', 'a2']);
  clock.now += 10;
  end('a1');
  await settled();
  t.strictSame(begun.slice(2), ['b1'], 'before what came earlier');
  end('a2');
  await settled();
  t.strictSame(begun.slice(3), ['a3']);
});

t.test('transfers that last delay no image that has none', async (t) => {
  const { clock, begun, transfer } = made(2);
  for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'd1']) void transfer(name);
  await settled();
  t.strictSame(begun, ['a1', 'a2']);
  clock.now += 500;
  await until(() => begun.length > 2);
  t.strictSame(begun.slice(2), ['b1', 'c1'], 'as many as there are places');
  clock.now += 500;
  await until(() => begun.length > 4);
  t.strictSame(begun.slice(4), ['d1'], 'and an image with transfers waits for places');
});

t.test('an image whose blobs come quickly does not wait for those of images that came before', async (t) => {
  const { clock, begun, transfer, end } = made(2);
  const endsAt = new Map<string, number>();
  let known = 0;
  /** Those of `n` take 10 ms, all others 100 ms. */
  const noteBegun = () => {
    for (const name of begun.slice(known)) endsAt.set(name, clock.now + (name.startsWith('n') ? 10 : 100));
    known = begun.length;
  };
  /** The transfer that is over first ends. If its image is no `n`, it has one more that waits. */
  const next = async () => {
    const [[name, at] = ['', 0]] = [...endsAt].sort((one, other) => one[1] - other[1]);
    clock.now = at;
    endsAt.delete(name);
    if (!name.startsWith('n')) void transfer(`${name[0]}${begun.length}`);
    end(name);
    await settled();
    noteBegun();
  };
  for (const image of 'abcdefghij') for (let blob = 1; blob <= 6; blob += 1) void transfer(`${image} ${blob}`);
  await settled();
  noteBegun();
  while (begun.length < 22) await next();
  for (let blob = 1; blob <= 9; blob += 1) void transfer(`n${blob}`);
  while (begun.length < 35) await next();
  const own = begun.slice(22).filter((name) => name.startsWith('n'));
  t.equal(own.length, 9, begun.join());
});

t.test('an image with many blobs goes on while others come', async (t) => {
  const { clock, begun, transfer, end } = made(1);
  for (let blob = 1; blob <= 9; blob += 1) void transfer(`a${blob}`);
  await settled();
  for (let image = 0; image < 20; image += 1) {
    // Each time an image comes that has begun nothing.
    void transfer(`${String.fromCharCode(0x100 + image)}1`);
    clock.now += 100;
    end(begun.at(-1) ?? '');
    await settled();
  }
  t.equal(begun.filter((name) => name.startsWith('a')).length, 6, `the first, and one in four: ${begun.join()}`);
});

t.test('a transfer that lasts is noticed in time, whatever else begins and ends', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const { clock, begun, transfer, end } = made(2);
  const pass = async (ms: number) => {
    clock.now += ms;
    mock.timers.tick(ms);
    await settled();
  };
  for (const name of ['a1', 'b1']) void transfer(name);
  await pass(400);
  end('b1');
  for (const name of ['a2', 'c1', 'd1']) void transfer(name);
  await settled();
  t.strictSame(begun, ['a1', 'b1', 'c1']);
  await pass(99);
  t.equal(begun.length, 3);
  await pass(1);
  t.strictSame(begun.slice(3), ['d1']);
});

t.test('a waiting transfer can be aborted', async (t) => {
  const { begun, transfer, end } = made(1);
  const abort = new AbortController();
  void transfer('a1');
  const waiting = transfer('b1', abort.signal);
  abort.abort(new Error('enough'));
  await t.rejects(waiting, { message: 'enough' });
  await t.rejects(transfer('b2', abort.signal), { message: 'enough' });
  void transfer('c1');
  end('a1');
  await settled();
  t.strictSame(begun, ['a1', 'c1']);
});

t.test('one that fails gives its place back', async (t) => {
  const limit = new BlobPlaces(1);
  await t.rejects(
    limit.run({}, never, () => Promise.reject(new Error('no'))),
    { message: 'no' },
  );
  t.equal(await limit.run({}, never, async () => 'yes'), 'yes');
});
