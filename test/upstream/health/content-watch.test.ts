import t from 'tap';
import type { FoundPush, StandingPush } from '../../../src/failover/lost-content.ts';
import type { CanaryState, ContentLoss } from '../../../src/failover/view.ts';
import { ContentWatch } from '../../../src/upstream/health/content-watch.ts';

const HOUR = 3_600_000;
const digest = (n: number) => `sha256:${String(n).repeat(64).slice(0, 64)}`;

function watched(found: Record<string, FoundPush>) {
  const state = { now: 100 * HOUR, canary: 'good' as CanaryState, able: true, asked: [] as string[] };
  const news: (ContentLoss | undefined)[] = [];
  let pushes: StandingPush[] = Object.keys(found).map((tag, index) => ({
    ...{ repository: 'library/app', tag, digest: digest(index), overwritten: false, afterLoss: false },
    at: state.now - (index + 1) * HOUR,
  }));
  const watch = new ContentWatch({
    finder: () =>
      state.able
        ? async ({ tag }) => {
            state.asked.push(tag);
            const one = found[tag];
            if (one === undefined) throw new Error('it does not answer');
            return one;
          }
        : undefined,
    confirmCanary: async () => state.canary,
    onNews: (loss) => news.push(loss),
    now: () => state.now,
  });
  watch.pushes = () => pushes;
  const settle = (tag: string) => {
    pushes = pushes.filter((one) => one.tag !== tag);
  };
  /** Looks do not follow each other at once. */
  const later = async () => {
    state.now += 1000;
    return watch.hasLost();
  };
  return { watch, state, news, found, settle, later };
}

t.test('what is gone is noticed, and missed until none of it stands', async (t) => {
  const { watch, state, news, settle, later } = watched({ e: 'gone', d: 'gone', c: 'there', b: 'there', a: 'there' });
  t.equal(await watch.hasLost(), true);
  t.match(watch.lost, { since: 98 * HOUR, gone: 2, noticedAt: 100 * HOUR, images: ['library/app:e', 'library/app:d'] });
  t.strictSame(state.asked, ['e', 'd', 'c', 'b'], 'no more is asked than is needed');
  t.equal(await later(), true);
  t.equal(state.asked.length, 4, 'what is known is not asked again');
  settle('d');
  t.ok(watch.lost);
  settle('e');
  t.equal(watch.lost, undefined);
  t.match(news, [{ gone: 2 }, undefined]);
});

t.test('a look finds that it is there again', async (t) => {
  const { watch, found, news, state } = watched({ b: 'gone', a: 'gone' });
  await watch.look();
  t.ok(watch.lost);
  state.now += 1000;
  await watch.look();
  t.match(watch.lost, { noticedAt: 100 * HOUR }, 'it was noticed when it was noticed first');
  Object.assign(found, { a: 'there', b: 'there' });
  state.now += 1000;
  await watch.look();
  t.equal(watch.lost, undefined);
  t.equal(news.length, 2);
});

t.test('content is not called lost if the upstream cannot be asked', async (t) => {
  const { watch, state, later, found } = watched({ b: 'gone', a: 'gone' });
  state.able = false;
  t.equal(await watch.hasLost(), false);
  state.able = true;
  state.canary = 'failing';
  t.equal(await later(), false);
  state.canary = 'good';
  delete found.b;
  t.equal(await later(), false, 'an error is no absence');
});

t.test('looks are shared', async (t) => {
  const { watch, state } = watched({ a: 'there' });
  const looks = [watch.look(), watch.look(), watch.look(), watch.hasLost()];
  state.now += 1000;
  await Promise.all(looks);
  t.equal(state.asked.length, 2, 'one under way, and one that begins after the calls');
  t.equal(await watch.hasLost(5000), false);
  t.equal(state.asked.length, 2, 'a look of just now will do');
});

t.test('an edge that saw no push asks nothing', async (t) => {
  const { watch, state } = watched({});
  t.equal(await watch.hasLost(), false);
  t.strictSame(state.asked, []);
});
