import t from 'tap';
import type { ContentTrust, FoundPush, StandingPush } from '../../../src/failover/lost-content.ts';
import { ContentWatch } from '../../../src/upstream/health/content-watch.ts';
import { LookQueue } from '../../../src/upstream/health/look-queue.ts';
import { stayAlive } from '../../helpers/stay-alive.ts';
import { until } from '../../helpers/until.ts';

/** A queue whose looks end when the test says so. */
function queue() {
  const clock = { now: 0 };
  const begun: ((trust: ContentTrust) => void)[] = [];
  const looks = new LookQueue(
    () => {
      const { promise, resolve } = Promise.withResolvers<ContentTrust>();
      begun.push(resolve);
      return promise;
    },
    () => clock.now,
  );
  return { looks, begun, clock };
}

stayAlive(t);

t.test('a client that looks all the time makes no other one wait', async (t) => {
  const { looks, begun, clock } = queue();
  const first = looks.look('noisy');
  const second = looks.look('noisy');
  t.equal(looks.look('noisy'), second, 'its next look is shared by all that it asks for');
  t.equal(begun.length, 1);
  const other = looks.look('other');
  t.equal(begun.length, 2, 'the look of another client begins at once');
  looks.look();
  t.equal(begun.length, 3, 'and that of the edge itself');
  begun[1]?.('lost');
  t.equal(await other, 'lost');
  clock.now += 250;
  begun[0]?.('believed');
  t.equal(await first, 'believed');
  await until(() => begun.length === 4, { what: () => 'its next look' });
  begun[3]?.('unclear');
  t.equal(await second, 'unclear');
});

t.test('a look that has not begun counts for later calls, too, and one under way does not', async (t) => {
  const { looks, begun, clock } = queue();
  const first = looks.look('a');
  begun[0]?.('believed');
  await first;
  clock.now += 249;
  const waiting = looks.look('a');
  t.equal(begun.length, 1, 'too early');
  t.equal(looks.look('a'), waiting);
  await until(() => begun.length === 2, { what: () => 'the look that is due in a millisecond' });
  t.not(looks.look('a'), waiting, 'it began before this call');
});

t.test('many clients share looks', async (t) => {
  const { looks, begun, clock } = queue();
  const all = Array.from({ length: 100 }, (_, client) => looks.look(`client ${client}`));
  t.equal(begun.length, 9, 'eight of their own, and one for all others');
  t.equal(new Set(all).size, 10, 'and the next one for those that came later');
  for (const end of begun.splice(0)) end('believed');
  await Promise.all(all.slice(0, 9));
  clock.now += 1000;
  looks.look('client 99');
  t.equal(begun.length, 1, 'a second later they have their own again');
});

const PUSH: StandingPush = {
  ...{ repository: 'library/app', tag: '1', digest: `sha256:${'a'.repeat(64)}` },
  ...{ overwritten: false, afterLoss: false, at: -10 },
};

t.test('a look that began earlier does not undo what a later one found', async (t) => {
  const finds: PromiseWithResolvers<FoundPush>[] = [];
  const clock = { now: 0 };
  const watch = new ContentWatch({
    reader: 'own',
    looker: () => ({
      find: () => {
        const found = Promise.withResolvers<FoundPush>();
        finds.push(found);
        return found.promise;
      },
      confirmCanary: async () => 'good',
    }),
    onNews: () => undefined,
    now: () => clock.now,
  });
  watch.pushes = () => [PUSH, { ...PUSH, tag: '2', at: -20 }];
  const earlier = watch.ask(0, 'a').soon;
  clock.now = 5;
  const later = watch.ask(0, 'b').soon;
  t.equal(finds.length, 4);
  for (const find of finds.slice(2)) find.resolve('gone');
  t.equal(await later, 'lost');
  for (const find of finds.slice(0, 2)) find.resolve('there');
  t.equal(await earlier, 'lost');
  t.ok(watch.lost);
});
