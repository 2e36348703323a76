import t from 'tap';
import type { CredentialRole } from '../../../src/failover/credentials.ts';
import type { FoundPush, StandingPush } from '../../../src/failover/lost-content.ts';
import type { CanaryState, ContentLoss } from '../../../src/failover/view.ts';
import { ContentWatch } from '../../../src/upstream/health/content-watch.ts';

const HOUR = 3_600_000;
const digest = (n: number) => `sha256:${String(n).repeat(64).slice(0, 64)}`;

function watched(found: Record<string, FoundPush>, reader: CredentialRole | 'none' = 'own') {
  const state = { now: 100 * HOUR, canary: 'good' as CanaryState, able: true, asked: [] as string[] };
  const news: (ContentLoss | undefined)[] = [];
  let pushes: StandingPush[] = Object.keys(found).map((tag, index) => ({
    ...{ repository: 'library/app', tag, digest: digest(index), overwritten: false, afterLoss: false },
    at: state.now - (index + 1) * HOUR,
  }));
  const watch = new ContentWatch({
    reader: reader === 'none' ? undefined : reader,
    looker: () =>
      state.able
        ? {
            find: async ({ tag }) => {
              state.asked.push(tag);
              const one = found[tag];
              if (one === undefined) throw new Error('it does not answer');
              return one;
            },
            confirmCanary: async () => state.canary,
          }
        : undefined,
    onNews: (loss) => news.push(loss),
    now: () => state.now,
  });
  watch.pushes = () => pushes;
  const settle = (tag: string) => {
    pushes = pushes.filter((one) => one.tag !== tag);
  };
  const overwrite = (tag: string) => {
    pushes = pushes.map((one) => (one.tag === tag ? { ...one, overwritten: true } : one));
  };
  /** Looks do not follow each other at once. */
  const later = async () => {
    state.now += 1000;
    return watch.ask().soon;
  };
  /** A push of another repository, the newest. */
  const add = (repository: string, tag: string) => {
    const place = { repository, tag, digest: digest(7), overwritten: false, afterLoss: false };
    pushes = [{ ...place, at: state.now }, ...pushes];
  };
  return { watch, state, news, found, settle, overwrite, later, add };
}

t.test('what is gone is noticed, and missed until none of it stands', async (t) => {
  const { watch, state, news, settle, later } = watched({ e: 'gone', d: 'gone', c: 'there', b: 'there', a: 'there' });
  t.equal(await watch.ask().soon, 'lost');
  t.match(watch.lost, { since: 98 * HOUR, gone: 2, noticedAt: 100 * HOUR, images: ['library/app:e', 'library/app:d'] });
  t.strictSame(state.asked, ['e', 'd', 'c', 'b'], 'no more is asked than is needed');
  t.equal(await later(), 'lost');
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
  t.equal(await watch.ask().soon, 'believed', 'without credentials that could look, the edge never knows');
  state.able = true;
  state.canary = 'failing';
  t.equal(await later(), 'unclear');
  state.canary = 'none';
  t.equal(await later(), 'believed', 'without a canary neither');
  state.canary = 'good';
  delete found.b;
  t.equal(await later(), 'unclear', 'an error is no absence');
  t.equal(watch.lost, undefined);
});

t.test('what is gone is looked for again, one by one', async (t) => {
  const { watch, found, news, state } = watched({ d: 'gone', c: 'gone', b: 'gone', a: 'there' });
  t.strictSame(watch.missed, []);
  await watch.recheck();
  t.strictSame(state.asked, [], 'nothing is known to be gone');
  await watch.look();
  t.match(watch.lost, { gone: 3 });
  t.equal(watch.missed.length, 3);
  state.asked = [];
  found.d = 'there';
  state.now += 1000;
  await watch.recheck();
  t.strictSame(state.asked, ['d', 'c', 'b']);
  t.match(watch.lost, { gone: 2, images: ['library/app:c', 'library/app:b'] }, 'the newest one alone ends nothing');
  await watch.recheck();
  t.equal(state.asked.length, 3, 'not at once again');
  found.c = 'there';
  delete found.b;
  await watch.recheck(0);
  t.match(watch.lost, { gone: 1 }, 'an error shows nothing');
  state.able = false;
  await watch.recheck(0);
  t.ok(watch.lost);
  state.able = true;
  found.b = 'elsewhere';
  await watch.recheck(0);
  t.ok(watch.lost, 'its tag is not back yet');
  found.b = 'there';
  state.now += 10_000;
  await watch.recheck();
  t.equal(watch.lost, undefined);
  t.match(news, [{ gone: 3 }, undefined]);
});

t.test('an older push of a tag that is back keeps nothing missed', async (t) => {
  const { watch, state, found, overwrite } = watched({ c: 'gone', b: 'gone', a: 'there' });
  overwrite('b');
  await watch.look();
  t.equal(watch.lost, undefined, 'a push that was overwritten shows nothing alone');
  Object.assign(found, { a: 'gone' });
  state.now += 1000;
  await watch.look();
  t.ok(watch.lost);
  Object.assign(found, { c: 'there', a: 'there' });
  await watch.recheck();
  t.equal(watch.lost, undefined);
});

t.test('looks are shared', async (t) => {
  const { watch, state } = watched({ a: 'there' });
  const looks = [watch.look(), watch.look(), watch.look(), watch.ask().last];
  state.now += 1000;
  await Promise.all(looks);
  t.equal(state.asked.length, 2, 'one under way, and one that begins after the calls');
  t.equal(await watch.ask(5000).soon, 'believed');
  t.equal(state.asked.length, 2, 'a look of just now will do');
});

t.test('an edge that saw no push asks nothing', async (t) => {
  const { watch, state } = watched({});
  t.equal(await watch.ask().soon, 'believed');
  t.strictSame(state.asked, []);
});

t.test('without credentials that could look, it is known from the start that nothing looks', async (t) => {
  const { watch, state, later } = watched({ a: 'there' }, 'none');
  t.match(watch.unseen, { since: 100 * HOUR, reader: undefined, repositories: [] });
  state.able = false;
  t.equal(await later(), 'believed');
  watch.lookIfDue();
  t.match(watch.unseen, { since: 100 * HOUR });
  watch.pushes = () => [];
  await watch.look();
  t.match(watch.unseen, { since: 100 * HOUR }, 'though nothing was pushed yet');
});

t.test('what the credentials may not read is unknown, and its repository is asked for once in a look', async (t) => {
  const denied = { e: 'denied', d: 'denied', c: 'denied', b: 'denied', a: 'denied' } as const;
  const { watch, state, found, later, settle } = watched({ ...denied }, 'probe');
  t.equal(await later(), 'believed');
  const since = state.now;
  t.match(watch.unseen, { since, reader: 'probe', repositories: ['library/app'] });
  t.strictSame(state.asked, ['e', 'd', 'c', 'b'], 'those that are asked at once');
  await later();
  t.match(watch.unseen, { since }, 'since it was first noticed');
  for (const tag of Object.keys(found)) delete found[tag];
  await later();
  t.match(watch.unseen, { since }, 'a look that fails says nothing of rights');
  Object.assign(found, { e: 'there', d: 'there', c: 'there', b: 'there', a: 'there' });
  await later();
  t.equal(watch.unseen, undefined);
  Object.assign(found, denied);
  await later();
  t.ok(watch.unseen);
  for (const tag of Object.keys(found)) settle(tag);
  await later();
  t.equal(watch.unseen, undefined, 'nothing is left that could be missed');
});

t.test('a repository that may not be read neither hides a loss nor ends one', async (t) => {
  const { watch, state, found, later, add } = watched({ b: 'gone', a: 'gone' }, 'probe');
  found.secret = 'denied';
  add('team/secret', 'secret');
  t.equal(await later(), 'lost');
  t.match(watch.lost, { gone: 2 });
  t.match(watch.unseen, { repositories: ['team/secret'] });
  Object.assign(found, { b: 'denied', a: 'there' });
  state.now += 1000;
  await watch.look();
  t.ok(watch.lost, 'what was gone is not known to be back');
  Object.assign(found, { b: 'there' });
  state.now += 1000;
  await watch.look();
  t.equal(watch.lost, undefined);
});

t.test(
  'the rights of a probe are looked at once there is something to read, and again every five minutes',
  async (t) => {
    const { watch, state, found, add } = watched({ a: 'there' }, 'probe');
    /** A look here takes no time. */
    const over = () => new Promise((resolve) => setImmediate(resolve));
    const due = () => {
      const before = state.asked.length;
      watch.lookIfDue();
      return state.asked.length > before;
    };
    t.ok(due());
    await over();
    state.now += 299_000;
    add('library/app', 'a');
    t.notOk(due(), 'there was a look not long ago');
    state.now += 2000;
    t.ok(due());
    await over();
    state.now += 301_000;
    t.notOk(due(), 'nothing is new');
    found.a = 'denied';
    state.now += 301_000;
    await watch.look();
    state.now += 301_000;
    t.ok(due(), 'nothing is new, but something is not known');
    await over();
    state.now += 301_000;
    delete found.a;
    t.ok(due());
    await over();
    state.now += 4999;
    t.notOk(due());
    state.now += 1;
    t.ok(due(), 'a look that was interrupted is soon tried again');
    await over();
  },
);

t.test('credentials that open what is pushed are not tried without a reason', async (t) => {
  const { watch, state } = watched({ a: 'there' }, 'replication');
  watch.lookIfDue();
  t.strictSame(state.asked, []);
});
