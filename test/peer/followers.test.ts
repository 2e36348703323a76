import t, { type Test } from 'tap';
import { ACKNOWLEDGE_MS } from '../../src/failover/unheard.ts';
import { Followers, STAND_MS } from '../../src/peer/followers.ts';
import { MockedTime } from '../helpers/host-clock.ts';

/** A store of which only the version counts. Time passes only as the test lets it. */
const made = (t: Test) => {
  const time = new MockedTime(t);
  const store = { name: 'words', head: 0 };
  const clock = { now: 0 };
  const late: string[] = [];
  const followers = new Followers({ stores: [store], now: () => clock.now, onLate: (from) => late.push(from) });
  return { time, store, clock, late, followers };
};

/** A question of another edge, which knows a version. */
function ask(followers: Followers, link: string, version: number) {
  const marks: string[] = [];
  const closing: (() => void)[] = [];
  let answered = false;
  const standing = {
    from: `the host of ${link}`,
    mark: (mark: string) => void marks.push(mark),
    onClose: (callback: () => void) => void closing.push(callback),
  };
  const done = followers.stand({ link, known: { words: version } }, standing).then(() => {
    answered = true;
  });
  const close = () => {
    for (const callback of closing) callback();
  };
  return { marks, close, done, isAnswered: () => answered };
}

/** How a reply fares that tells now. */
function tell(followers: Followers) {
  let isWaiting = true;
  const done = followers.tell().then(() => {
    isWaiting = false;
  });
  return { done, isWaiting: () => isWaiting };
}

const moment = () => new Promise((resolve) => setImmediate(resolve));
/** A reply that is sent though no time passes. */
const early = async (t: Test, reply: ReturnType<typeof tell>, what: string) => {
  await moment();
  t.notOk(reply.isWaiting(), what);
};
/** A reply that waits for as long as replies do. */
const waitsInVain = async (t: Test, time: MockedTime, reply: ReturnType<typeof tell>) => {
  time.pass(ACKNOWLEDGE_MS - 1);
  await moment();
  t.ok(reply.isWaiting());
  time.pass(1);
  await moment();
  t.notOk(reply.isWaiting());
};

t.test('without a peer a reply does not wait', async (t) => {
  const { store, followers } = made(t);
  store.head = 1;
  await early(t, tell(followers), 'alone');
});

t.test('a reply waits until the question that follows acknowledges', async (t) => {
  const { store, followers } = made(t);
  const first = ask(followers, 'b', 0);
  t.strictSame(first.marks, ['.'], 'the question stands');
  store.head = 1;
  const reply = tell(followers);
  t.strictSame(first.marks, ['.', '!'], 'in the moment in which there is news');
  await first.done;
  await moment();
  t.ok(reply.isWaiting());
  ask(followers, 'b', 1);
  await early(t, reply, 'acknowledged');
});

t.test('what changes without a reply does not answer a question', async (t) => {
  const { store, followers } = made(t);
  const asked = ask(followers, 'b', 0);
  store.head = 7;
  await moment();
  t.notOk(asked.isAnswered());
});

t.test('a peer that does not acknowledge costs one reply, and replies wait again once it has caught up', async (t) => {
  const { time, store, followers } = made(t);
  ask(followers, 'b', 0);
  store.head = 1;
  await waitsInVain(t, time, tell(followers));
  t.equal(followers.inStep, 0);
  for (const head of [2, 3, 4]) {
    store.head = head;
    await early(t, tell(followers), 'behind');
  }
  const late = ask(followers, 'b', 1);
  await late.done;
  t.strictSame(late.marks, [], 'it is told the rest at once, and its question does not stand');
  t.equal(followers.inStep, 0);
  t.strictSame(ask(followers, 'b', 4).marks, ['.']);
  store.head = 5;
  const reply = tell(followers);
  await moment();
  t.ok(reply.isWaiting());
  ask(followers, 'b', 5);
  await early(t, reply, 'in step again');
});

t.test('a peer that does not acknowledge in time is counted and named until it has caught up', async (t) => {
  const { time, store, clock, late, followers } = made(t);
  for (const link of ['b', 'c']) ask(followers, link, 0);
  t.strictSame([followers.late, followers.behind], [0, []]);
  clock.now = 5;
  store.head = 1;
  const reply = tell(followers);
  ask(followers, 'c', 1);
  await waitsInVain(t, time, reply);
  const behind = [{ from: 'the host of b', since: 5 }];
  t.strictSame([followers.late, followers.behind, late], [1, behind, ['the host of b']]);
  clock.now = 6;
  store.head = 2;
  const next = tell(followers);
  ask(followers, 'c', 2);
  await next.done;
  t.strictSame([followers.late, followers.behind], [1, behind], 'no reply waits for it any more');
  await ask(followers, 'b', 1).done;
  t.strictSame(followers.behind, behind, 'it has asked, but has not read all');
  ask(followers, 'b', 2);
  t.strictSame([followers.late, followers.behind], [1, []]);
});

t.test('a peer that has not asked for long is not behind: it is gone, or cannot be reached', async (t) => {
  const { time, store, clock, followers } = made(t);
  ask(followers, 'b', 0);
  store.head = 1;
  await waitsInVain(t, time, tell(followers));
  clock.now = 30_000;
  t.equal(followers.behind.length, 1);
  clock.now = 30_001;
  t.strictSame([followers.late, followers.behind], [1, []]);
});

t.test('two replies that give up a peer at once name it once', async (t) => {
  const { time, store, clock, followers } = made(t);
  ask(followers, 'b', 0);
  store.head = 1;
  const one = tell(followers);
  time.pass(10);
  store.head = 2;
  const two = tell(followers);
  clock.now = 7;
  time.pass(ACKNOWLEDGE_MS - 10);
  await moment();
  t.strictSame([one.isWaiting(), two.isWaiting()], [false, true]);
  clock.now = 8;
  time.pass(10);
  await two.done;
  t.strictSame([followers.late, followers.behind], [2, [{ from: 'the host of b', since: 7 }]]);
});

t.test('all peers have one deadline together', async (t) => {
  const { time, store, followers } = made(t);
  for (const link of ['b', 'c', 'd']) ask(followers, link, 0);
  store.head = 1;
  const reply = tell(followers);
  ask(followers, 'c', 1);
  await waitsInVain(t, time, reply);
  t.equal(followers.inStep, 1);
});

t.test('a peer whose connection closes is not waited for', async (t) => {
  const { store, followers } = made(t);
  const gone = ask(followers, 'b', 0);
  gone.close();
  await gone.done;
  store.head = 1;
  await early(t, tell(followers), 'gone before');
  const going = ask(followers, 'c', 1);
  store.head = 2;
  const reply = tell(followers);
  going.close();
  await moment();
  t.ok(reply.isWaiting(), 'it was told, and may acknowledge by another connection');
  ask(followers, 'c', 2);
  await reply.done;
});

t.test('two pushes at once, of which a peer hears one after the other', async (t) => {
  const { store, followers } = made(t);
  ask(followers, 'b', 0);
  store.head = 1;
  const one = tell(followers);
  store.head = 2;
  const two = tell(followers);
  const next = ask(followers, 'b', 1);
  await Promise.all([one.done, next.done]);
  t.strictSame(next.marks, [], 'the second is told at once');
  t.ok(two.isWaiting());
  ask(followers, 'b', 2);
  await early(t, two, 'the second');
});

t.test('a question is answered after a while, with a mark before it, since a reply may follow unheard', async (t) => {
  const { time, followers } = made(t);
  const asked = ask(followers, 'b', 0);
  time.pass(STAND_MS - 1);
  await moment();
  t.strictSame(asked.marks, ['.']);
  time.pass(1);
  await asked.done;
  t.strictSame(asked.marks, ['.', '!']);
});

t.test('a link that asks twice has one question standing', async (t) => {
  const { followers } = made(t);
  const [first, second] = [ask(followers, 'b', 0), ask(followers, 'b', 0)];
  await first.done;
  t.strictSame([first.marks, second.marks], [['.', '!'], ['.']]);
  first.close();
  t.equal(followers.inStep, 1, 'and the end of the first does not end it');
});

t.test('beyond the bound questions do not stand, until others are forgotten', async (t) => {
  const { time, store, clock, followers } = made(t);
  for (let index = 0; index < 64; index += 1) ask(followers, `link ${index}`, 0);
  t.notOk(followers.hasRoom('one more'));
  const more = ask(followers, 'one more', 0);
  await more.done;
  t.strictSame(more.marks, []);
  t.ok(followers.hasRoom('link 0'), 'those that are there stay');
  store.head = 1;
  await waitsInVain(t, time, tell(followers));
  clock.now = 40_000;
  t.ok(followers.hasRoom('one more'));
});

t.test('an edge that ends answers all questions, and none stands any more', async (t) => {
  const { followers } = made(t);
  const standing = ask(followers, 'b', 0);
  followers.end();
  await standing.done;
  t.ok(followers.ended);
  const next = ask(followers, 'b', 0);
  await next.done;
  t.strictSame(next.marks, []);
});
