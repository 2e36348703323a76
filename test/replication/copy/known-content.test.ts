import t from 'tap';
import { KnownContent } from '../../../src/replication/copy/known-content.ts';

const never = new AbortController().signal;

t.test('where a blob is', async (t) => {
  const known = new KnownContent();
  t.equal(known.mountSource('sha256:a'), undefined);
  known.add('one', 'sha256:a');
  known.add('two', 'sha256:a');
  t.equal(known.has('one', 'sha256:a'), true);
  t.equal(known.has('three', 'sha256:a'), false);
  t.equal(known.mountSource('sha256:a'), 'two', 'the one that was noted last');
  known.add('one', 'sha256:a');
  t.equal(known.mountSource('sha256:a'), 'one');
  known.forget('sha256:a');
  t.equal(known.has('one', 'sha256:a'), false);
});

t.test('of one that is everywhere only some places are kept', async (t) => {
  const known = new KnownContent();
  for (let number = 0; number < 100; number += 1) known.add(`app${number}`, 'sha256:a');
  t.equal(known.mountSource('sha256:a'), 'app99');
  t.equal(known.has('app0', 'sha256:a'), false);
  t.equal(known.has('app95', 'sha256:a'), true);
});

t.test('one at a time for each blob, and others beside', async (t) => {
  const known = new KnownContent();
  const running = new Map<string, number>();
  let most = 0;
  const work = (digest: string) => () => {
    const count = (running.get(digest) ?? 0) + 1;
    running.set(digest, count);
    most = Math.max(
      most,
      [...running.values()].reduce((sum, one) => sum + one),
    );
    t.equal(count, 1, 'alone');
    return new Promise<void>((resolve) =>
      setImmediate(() => {
        running.set(digest, 0);
        resolve();
      }),
    );
  };
  const digests = ['a', 'b', 'a', 'a', 'b', 'c'];
  await Promise.all(digests.map((digest) => known.exclusively({ digest }, never, work(digest))));
  t.equal(most, 3);
});

t.test('one that fails fails itself alone', async (t) => {
  const known = new KnownContent();
  const first = known.exclusively({ digest: 'a' }, never, async () => Promise.reject(new Error('no')));
  const second = known.exclusively({ digest: 'a' }, never, async () => 'yes');
  await t.rejects(first, { message: 'no' });
  t.equal(await second, 'yes');
});

t.test('an aborted call does not wait for others', async (t) => {
  const known = new KnownContent();
  const abort = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = known.exclusively({ digest: 'a' }, never, () => promise);
  const second = known.exclusively({ digest: 'a' }, abort.signal, async () => t.fail('it was its turn'));
  abort.abort(new Error('enough'));
  await t.rejects(second, { message: 'enough' });
  resolve();
  await first;
});

t.test('whether a repository is empty is looked for once', async (t) => {
  const known = new KnownContent();
  let looks = 0;
  const look = async () => {
    looks += 1;
    if (looks === 1) throw new Error('down');
    return true;
  };
  await t.rejects(known.isEmpty('app', look), { message: 'down' });
  t.strictSame(await Promise.all([known.isEmpty('app', look), known.isEmpty('app', look)]), [true, true]);
  t.equal(looks, 2, 'a failure is not kept');
});

t.test('a transfer that does not move is not waited for', async (t) => {
  const known = new KnownContent();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const done: string[] = [];
  const hung = known.exclusively({ digest: 'a' }, never, async (moved) => {
    moved();
    await ended;
    done.push('hung');
  });
  let running = 0;
  const others = ['one', 'two'].map((name) =>
    known.exclusively({ digest: 'a' }, never, async (moved) => {
      running += 1;
      moved();
      await new Promise((resolve) => setImmediate(resolve));
      done.push(`${name}, ${running} at a time`);
      running -= 1;
    }),
  );
  await Promise.all(others);
  // Both have waited for the same time, so either may be first.
  t.strictSame(
    done.toSorted(),
    ['one, 1 at a time', 'two, 1 at a time'],
    'others do it by themselves, one after the other',
  );
  const held = known.exclusively({ digest: 'a' }, never, async () => done.push('next'));
  end();
  await Promise.all([hung, held]);
  t.equal(done.length, 4);
});

t.test('a transfer that moves, or waits for its place, is waited for', async (t) => {
  const known = new KnownContent();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const done: string[] = [];
  const pulses = setInterval(() => move(), 100);
  t.teardown(() => clearInterval(pulses));
  let move = () => undefined as void;
  const slow = known.exclusively({ digest: 'a' }, never, async (moved) => {
    move = moved;
    await ended;
    done.push('slow');
  });
  const waiting = known.exclusively({ digest: 'b' }, never, async () => {
    await ended;
    done.push('waiting');
  });
  const others = ['a', 'b'].map((digest) => known.exclusively({ digest }, never, async () => done.push('other')));
  setTimeout(end, 3000);
  await Promise.all([slow, waiting, ...others]);
  t.strictSame(done, ['slow', 'waiting', 'other', 'other']);
});
