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

t.test('places are kept, and the image with the fewest transfers is next', async (t) => {
  const { begun, transfer, end } = made(2);
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1']) void transfer(name);
  await settled();
  t.strictSame(begun, ['a1', 'a2']);
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
