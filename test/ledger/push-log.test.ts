import t from 'tap';
import type { ContentTrust } from '../../src/failover/lost-content.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { type AcknowledgedPush, PushLog, pushKey } from '../../src/ledger/push-log.ts';

const [A = '', B = '', C = ''] = ['a', 'b', 'c'].map((digit) => `sha256:${digit.repeat(64)}`);
const place = (tag: string, repository = 'library/app', upstream = 'harbor') => ({ upstream, repository, tag });
const v1 = place('v1');
const v2 = place('v2');

function made(t: { teardown(end: () => void): void }): Ledger {
  const ledger = new Ledger({ tags: 100, keep: 86_400_000 });
  t.teardown(() => ledger.close());
  return ledger;
}

const push = (ledger: Ledger, tag: typeof v1, digest: string, lossKnownFor?: number) =>
  ledger.recordPushed(tag, digest, ledger.now(), lossKnownFor);
const standing = (ledger: Ledger) =>
  ledger
    .standingPushes('harbor')
    .map(({ tag, digest, overwritten }) => `${tag} ${digest.slice(7, 8)}${overwritten ? ' overwritten' : ''}`);

t.test('keeps the last 64 pushes of each upstream, newest first', async (t) => {
  const log = new PushLog();
  const told: string[] = [];
  log.onChange = ({ tag }) => told.push(tag);
  const at = (n: number, upstream = 'harbor'): AcknowledgedPush => ({
    ...place(`t${n}`, 'a', upstream),
    digest: A,
    at: n,
    lossKnownFor: undefined,
  });
  for (let n = 1; n <= 70; n += 1) t.ok(log.add(at(n)));
  t.ok(log.add(at(1, 'other')));
  t.equal(log.of('harbor').length, 64);
  t.equal(log.of('harbor')[0]?.tag, 't70');
  t.notOk(log.add(at(2)), 'one that is older than all is no news');
  t.notOk(log.add(at(70)), 'nor is one that is there');
  t.notOk(log.add({ ...at(70), at: 60 }), 'nor is the same, earlier');
  t.ok(log.add({ ...at(10), at: 100 }), 'a push again is one');
  t.equal(log.of('harbor').filter(({ tag }) => tag === 't10').length, 1);
  t.match(log.find(pushKey(at(10))), { at: 100 });
  t.ok(log.has(place('t10', 'a'), A));
  t.notOk(log.has(place('t10', 'a'), B));
  t.equal(told.length, 72);
  log.forget('harbor');
  t.strictSame(log.of('harbor'), []);
  t.equal(log.of('other').length, 1);
});

t.test('a push of a tag that the ledger has no room for proves nothing', async (t) => {
  const ledger = new Ledger({ tags: 1, keep: 86_400_000 });
  t.teardown(() => ledger.close());
  push(ledger, v1, A);
  push(ledger, v2, B);
  t.strictSame(standing(ledger), ['v2 b']);
});

t.test('pushes while content is lost do not crowd out those that show the loss', async (t) => {
  const ledger = made(t);
  for (const [tag, digest] of [
    [v1, A],
    [v2, B],
  ] as const)
    push(ledger, tag, digest);
  for (let n = 1; n <= 70; n += 1) push(ledger, place(`t${n}`), C, 0);
  t.equal(standing(ledger).length, 66);
  t.equal(standing(ledger)[0], 't70 c');
  t.strictSame(standing(ledger).slice(-2), ['v2 b', 'v1 a']);
});

t.test('a push that was accepted as the upstream shows it', async (t) => {
  const [ledger, other] = [made(t), made(t)];
  push(ledger, v1, A);
  push(ledger, v2, B);
  ledger.recordAccepted(v1, A);
  t.strictSame(standing(ledger), ['v2 b']);
  t.match(ledger.find(v1), [{ digest: A }]);
  for (const one of [...ledger.pushes.of('harbor')]) other.pushes.add(one);
  other.merge([v1, v2].map((tag) => ({ ...tag, history: ledger.find(tag) ?? [] })));
  t.strictSame(standing(other), ['v2 b'], 'another edge learns it from the ledger');
  push(ledger, v1, C);
  push(ledger, v1, A);
  t.strictSame(standing(ledger), ['v1 a', 'v1 c overwritten', 'v2 b'], 'a later push stands');
});

t.test('the pushes that still stand', async (t) => {
  const ledger = made(t);
  push(ledger, v1, A);
  push(ledger, v2, B);
  push(ledger, v1, C);
  t.strictSame(standing(ledger), ['v1 c', 'v2 b', 'v1 a overwritten']);
  ledger.recordDeleted(v2, ledger.now());
  t.strictSame(standing(ledger), ['v1 c', 'v1 a overwritten'], 'a deletion takes its push off');
  push(ledger, v1, A);
  t.strictSame(standing(ledger), ['v1 a', 'v1 c overwritten'], 'a push of an older digest is a push');
  ledger.recordDigestDeleted('harbor', 'library/app', C, ledger.now());
  t.strictSame(standing(ledger), ['v1 a'], 'so does the deletion of a manifest');
  ledger.recordSeen(v1, B, ledger.now());
  t.strictSame(standing(ledger), [], 'what the upstream shows since, and is believed, counts');
});

t.test('of two pushes at once the one that the upstream shows stands', async (t) => {
  const ledger = made(t);
  push(ledger, v1, A);
  push(ledger, v1, B);
  ledger.recordSeen(v1, A, ledger.now());
  t.strictSame(standing(ledger), ['v1 a']);
});

t.test('a push that changes nothing is no newer content', async (t) => {
  const ledger = made(t);
  push(ledger, v1, A);
  push(ledger, v2, B);
  push(ledger, v1, A);
  t.strictSame(standing(ledger), ['v2 b', 'v1 a']);
  push(ledger, v1, A, 0);
  t.strictSame(standing(ledger), ['v1 a', 'v2 b'], 'unless content is known to be lost: then it comes back');
  t.equal(ledger.standingPushes('harbor')[0]?.afterLoss, true);
});

t.test('a push after the loss takes the place of what was lost', async (t) => {
  const ledger = made(t);
  push(ledger, v1, A);
  push(ledger, v1, B, 0);
  t.strictSame(standing(ledger), ['v1 b']);
  push(ledger, v1, C, 0);
  t.strictSame(standing(ledger), ['v1 c', 'v1 b overwritten'], 'what was pushed since may be lost by another restore');
});

t.test('a push by an edge that did not know of the loss yet is one after it', async (t) => {
  const ledger = made(t);
  const at = ledger.now();
  ledger.recordPushed(v1, A, at);
  ledger.recordPushed(v1, B, at + 20);
  ledger.recordPushed(v1, C, at + 30, 15);
  t.strictSame(standing(ledger), ['v1 c', 'v1 b overwritten'], 'the loss was known since 15, and A was lost before');
  t.ok(ledger.standingPushes('harbor').every(({ afterLoss }) => afterLoss));
});

t.test('an upstream that has lost content is not believed when it takes back a tag', async (t) => {
  const ledger = made(t);
  const asked: string[] = [];
  let trust: ContentTrust = 'lost';
  ledger.recordSeen(v1, A, ledger.now());
  t.ok(await ledger.recordShown(v1, null, 0), 'a read that began before is older');
  t.equal(await ledger.recordShown(v1, B, ledger.now()), true, 'another digest is newer');
  t.equal(await ledger.recordShown(v1, A, ledger.now()), true, 'by default nothing is lost');
  ledger.recordSeen(v1, B, ledger.now());
  ledger.askContent = (upstream) => {
    asked.push(upstream);
    return { soon: Promise.resolve(trust), last: Promise.resolve(trust) };
  };
  t.equal(await ledger.recordShown(v1, A, ledger.now()), false);
  t.equal(await ledger.recordShown(v1, null, ledger.now()), false);
  t.equal(ledger.judge(v1, B).verdict, 'current', 'the ledger stays as it was');
  t.equal(await ledger.recordShown(v1, B, ledger.now()), true);
  t.equal(await ledger.recordShown(v2, null, ledger.now()), true, 'nothing is known of that tag');
  t.equal(ledger.find(v2), undefined);
  t.strictSame(asked, ['harbor', 'harbor']);
  trust = 'unclear';
  t.equal(await ledger.recordShown(v1, null, ledger.now()), false, 'nor while it cannot be asked');
  t.equal(ledger.judge(v1, B).verdict, 'current');
  trust = 'believed';
  t.equal(await ledger.recordShown(v1, null, ledger.now()), true);
  t.equal(ledger.isDeleted(v1), true);
  push(ledger, v2, B);
  trust = 'lost';
  t.equal(await ledger.recordShown(v2, C, ledger.now()), false, 'a digest that was never seen, after a push');
});

t.test('what a slow look finds is noted for later requests', async (t) => {
  const ledger = made(t);
  for (const last of ['lost', 'believed'] as const) {
    push(ledger, v1, A);
    push(ledger, v1, B);
    const look = Promise.withResolvers<ContentTrust>();
    ledger.askContent = () => ({ soon: Promise.resolve('unclear'), last: look.promise });
    t.equal(await ledger.recordShown(v1, A, ledger.now()), false);
    t.equal(ledger.judge(v1, B).verdict, 'current');
    look.resolve(last);
    await look.promise;
    t.equal(ledger.judge(v1, A).verdict, last === 'lost' ? 'stale' : 'current');
  }
});

t.test('a push counts also if the upstream showed its digest before', async (t) => {
  const ledger = made(t);
  ledger.recordSeen(v1, A, ledger.now());
  push(ledger, v1, A);
  t.strictSame(standing(ledger), ['v1 a']);
});

t.test('an upstream that is another registry now has no pushes', async (t) => {
  const ledger = made(t);
  push(ledger, v1, A);
  t.strictSame(ledger.tagsOf('harbor'), [v1]);
  ledger.forget('harbor');
  t.strictSame(ledger.tagsOf('harbor'), []);
  t.strictSame(ledger.pushes.of('harbor'), []);
});

/** One edge tells another all that it knows, as peers do: pushes first. */
function tell(from: Ledger, to: Ledger): void {
  for (const one of from.pushes.of('harbor')) to.hearPush(one);
  to.merge(
    [v1, v2].map((tag) => ({ ...tag, history: from.find(tag) ?? [] })).filter(({ history }) => history.length > 0),
  );
}

/** Two pushes of one tag through an edge, of which the other edge has not heard, and what that one has seen since. */
function apart(t: { teardown(end: () => void): void }, trust: ContentTrust, hasSeen = false) {
  const [knowing, other] = [made(t), made(t)];
  const state = { trust };
  for (const ledger of [knowing, other])
    ledger.askContent = () => ({ soon: Promise.resolve(state.trust), last: Promise.resolve(state.trust) });
  push(knowing, v1, B);
  push(knowing, v1, C);
  if (hasSeen) other.recordSeen(v1, C, other.now());
  return { knowing, other, state };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

t.test('what an edge saw without knowing of a push', async (t) => {
  for (const told of ['to the edge that knows of the push first', 'to the other edge first']) {
    const exchange = async (one: Ledger, other: Ledger) => {
      const [from, to] = told.startsWith('to the edge') ? [other, one] : [one, other];
      for (const _ of [1, 2]) {
        tell(from, to);
        tell(to, from);
        await settled();
      }
    };
    for (const hasSeen of [false, true])
      await t.test(`of a restored upstream, told ${told}, ${hasSeen ? 'and it had' : 'not'} seen before`, async (t) => {
        const { knowing, other } = apart(t, 'lost', hasSeen);
        other.recordSeen(v1, A, other.now());
        await exchange(knowing, other);
        for (const ledger of [knowing, other]) {
          t.match(ledger.find(v1), [{ digest: C }, { digest: A }], 'the tag is where it was pushed to');
          t.strictSame(standing(ledger), ['v1 c', 'v1 b overwritten']);
          t.match(ledger.judge(v1, C), { verdict: 'current' });
        }
      });
    await t.test(`of an upstream that is well, told ${told}`, async (t) => {
      for (const seen of [A, null]) {
        const { knowing, other } = apart(t, 'believed');
        if (seen) other.recordSeen(v1, seen, other.now());
        else other.recordDeleted(v1, other.now());
        await exchange(knowing, other);
        for (const ledger of [knowing, other]) {
          t.equal(ledger.find(v1)?.[0]?.digest, seen, 'the later state counts');
          t.strictSame(standing(ledger), []);
        }
      }
    });
    await t.test(`of an upstream that cannot be asked, told ${told}`, async (t) => {
      const { knowing, other, state } = apart(t, 'unclear');
      other.recordSeen(v1, A, other.now());
      await exchange(knowing, other);
      for (const ledger of [knowing, other]) {
        t.strictSame(standing(ledger), ['v1 c', 'v1 b overwritten'], 'the push is still looked for');
        t.match(ledger.judge(v1, C), { verdict: 'stale' }, 'and no tag goes back in silence');
        t.ok(ledger.takesBack(v1, A, ledger.now()));
      }
      state.trust = 'lost';
      t.notOk(await other.recordShown(v1, A, other.now()));
      await exchange(knowing, other);
      for (const ledger of [knowing, other]) t.match(ledger.find(v1), [{ digest: C }], 'a later look decides');
    });
  }
});

t.test('what an edge that knows of the push has accepted, or has deleted, other edges take at once', async (t) => {
  for (const digest of [A, null]) {
    const { knowing, other } = apart(t, 'lost');
    tell(knowing, other);
    if (digest) other.recordAccepted(v1, digest);
    else other.recordDeleted(v1, other.now());
    tell(other, knowing);
    await settled();
    for (const ledger of [knowing, other]) t.equal(ledger.find(v1)?.[0]?.digest, digest);
  }
});

t.test('a push through an edge that did not know of another push is a push', async (t) => {
  const { knowing, other } = apart(t, 'lost');
  push(other, v1, A);
  tell(other, knowing);
  tell(knowing, other);
  for (const ledger of [knowing, other]) t.match(ledger.find(v1), [{ digest: A }]);
});

t.test('an entry that was set aside is dropped once the tag is pushed, deleted or accepted', async (t) => {
  for (const end of ['pushed', 'deleted', 'accepted']) {
    const { knowing, other, state } = apart(t, 'unclear');
    other.recordSeen(v1, A, other.now());
    tell(other, knowing);
    tell(knowing, other);
    if (end === 'pushed') push(other, v1, B);
    if (end === 'deleted') other.recordDeleted(v1, other.now());
    if (end === 'accepted') other.recordAccepted(v1, A);
    const digest = { pushed: B, deleted: null, accepted: A }[end];
    state.trust = 'lost';
    await settled();
    t.equal(other.find(v1)?.[0]?.digest, digest, end);
    t.notOk(standing(other).includes('v1 c'));
    t.notOk(other.takesBack(v1, digest ?? null, other.now()));
  }
});

t.test('an entry is no longer set aside when nobody can tell more about it', async (t) => {
  const dispute = async () => {
    const { knowing, other, state } = apart(t, 'unclear');
    other.recordSeen(v1, A, other.now());
    tell(knowing, other);
    await settled();
    t.ok(other.takesBack(v1, A, other.now()), 'it is set aside');
    return { knowing, other, state };
  };
  const forgotten = await dispute();
  forgotten.other.forget('gcr');
  t.ok(forgotten.other.takesBack(v1, A, forgotten.other.now()), 'another upstream does not matter');
  forgotten.other.forget('harbor');
  t.notOk(forgotten.other.takesBack(v1, A, forgotten.other.now()), 'its upstream is another registry now');

  const { other } = await dispute();
  for (let index = 0; index < 64; index += 1) push(other, { ...v2, tag: `later-${index}` }, B);
  const at = other.now();
  other.recordSeen(v2, A, other.now());
  other.hearPush({ ...v2, digest: B, at, lossKnownFor: undefined });
  t.notOk(other.takesBack(v1, A, other.now()), 'too many pushes came after it');
  t.ok(other.takesBack(v2, A, other.now()));

  const unasked = await dispute();
  unasked.other.askContent = () => undefined;
  t.ok(await unasked.other.recordShown(v1, A, unasked.other.now()));
  await settled();
  t.match(unasked.other.find(v1), [{ digest: A }]);
  t.notOk(unasked.other.takesBack(v1, A, unasked.other.now()), 'no upstream of that name is asked any more');
});
