import t, { type Test } from 'tap';
import { TagStore } from '../../src/ledger/tag-store.ts';
import { until } from '../helpers/until.ts';

const DAY = 86_400_000;
const A = `sha256:${'a'.repeat(64)}`;

function made(t: Test, tags = 100, keep = DAY): TagStore {
  const store = new TagStore(tags, keep);
  t.teardown(() => store.close());
  return store;
}

const seenAt = (at: number) => [{ digest: A, since: at, confirmedAt: at }];

t.test('what tells nothing, or is too old, is not kept', async (t) => {
  const store = made(t);
  t.equal(store.set('harbor\na\nv1', []), false);
  t.equal(store.set('harbor\na\nv1', seenAt(Date.now() - DAY)), false);
  t.equal(store.size, 0);
  t.equal(store.set('harbor\na\nv1', seenAt(Date.now() - DAY + 60_000)), true);
  t.strictSame(store.keysAt('harbor', 'a', A), ['harbor\na\nv1']);
});

t.test('a history comes back as it was given, not as a copy', async (t) => {
  const store = made(t);
  const history = seenAt(Date.now());
  store.set('harbor\na\nv1', history);
  t.equal(store.get('harbor\na\nv1'), history);
});

t.test('what is too old goes by itself within its time, though nobody asks for it', async (t) => {
  const store = made(t, 100, 300);
  store.set('harbor\na\nv1', seenAt(Date.now()));
  t.equal(store.size, 1);
  await until(() => store.size === 0, { what: () => `${store.size} left` });
  t.equal(store.evicted, 0);
});
