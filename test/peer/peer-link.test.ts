import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { monotonicNow } from '../../src/clock/clock.ts';
import { PeerLink, type PeerLinkOptions } from '../../src/peer/peer-link.ts';
import { PeerSealer } from '../../src/peer/peer-sealer.ts';
import { PeerService } from '../../src/peer/peer-service.ts';
import type { PeerView } from '../../src/peer/peer-view.ts';
import type { SharedStore } from '../../src/peer/shared-store.ts';

const SECRET = Buffer.from('a secret of a pair that is long enough');
const sealer = () => new PeerSealer([SECRET]);

/** A store of words, in the order in which they came. */
class Words implements SharedStore {
  readonly name = 'words';
  readonly words: unknown[] = [];
  /** The moments from which the ages of what came count. */
  readonly at: number[] = [];
  understood = true;

  get head(): number {
    return this.words.length;
  }

  since(version: number, max: number) {
    const next = Math.min(this.head, version + max);
    return { entries: this.words.slice(version, next), next };
  }

  merge(entries: readonly unknown[], now: number): number | undefined {
    if (!this.understood) return undefined;
    this.at.push(now);
    const news = entries.filter((entry) => !this.words.includes(entry));
    this.words.push(...news);
    return news.length;
  }
}

/** The clock of the other process, which has nothing in common with that of this one. */
const clock = { now: 5_000_000 };

function made(t: Test, over: Partial<PeerLinkOptions> = {}) {
  const [mine, theirs] = [new Words(), new Words()];
  let service = new PeerService({ sealer, stores: [theirs], node: 'their-node-their-node', now: () => clock.now });
  const states: PeerView['state'][] = [];
  const asked: string[] = [];
  const link = new PeerLink({
    url: 'https://edge-b.lan',
    address: '10.0.0.2:443',
    ask: (text) => {
      asked.push(text);
      return service.answer(text);
    },
    sealer,
    stores: [mine],
    node: 'this-node-this-node-this',
    now: monotonicNow,
    onState: ({ state }) => states.push(state),
    ...over,
  });
  t.teardown(() => link.stop());
  const restart = () => {
    service = new PeerService({ sealer, stores: [theirs], node: 'their-next-node-their', now: () => clock.now });
  };
  return { link, mine, theirs, states, asked, restart };
}

t.test('hears all at first, and then what is new', async (t) => {
  const { link, mine, theirs, states, restart } = made(t);
  t.match(link.view, { state: 'asking', heardAt: null });
  theirs.words.push(...Array.from({ length: 2300 }, (_, index) => index));
  await link.start();
  t.equal(mine.words.length, 2300);
  t.strictSame(states, ['behind', 'in-step']);
  t.match(link.view, { state: 'in-step', entries: 2300, heardAt: String });
  theirs.words.push('new');
  await link.poll();
  t.equal(mine.words.at(-1), 'new');
  restart();
  theirs.words.push('newer');
  for (let round = 0; round < 12; round += 1) await link.poll();
  t.equal(mine.words.at(-1), 'newer', 'also after it has started anew, and counts from the beginning');
  t.equal(link.view.entries, 2302);
});

t.test('what is down is told once, and asked again', async (t) => {
  let down = true;
  const { link, theirs, mine, states } = made(t);
  const service = new PeerService({ sealer, stores: [theirs], node: 'their-node-their-node', now: () => clock.now });
  const failing = made(t, {
    stores: [mine],
    ask: async (text) => {
      if (down) throw new Error('connect ECONNREFUSED');
      return service.answer(text);
    },
  });
  await failing.link.poll();
  await failing.link.poll();
  t.strictSame(failing.states, ['unreachable']);
  t.match(failing.link.view, { state: 'unreachable', reason: /ECONNREFUSED/ });
  down = false;
  await failing.link.poll();
  t.strictSame(failing.states, ['unreachable', 'in-step']);
  await link.poll();
  t.strictSame(states, ['in-step']);
});

t.test('what is not of this site teaches nothing', async (t) => {
  const told = { words: { entries: ['forged'], next: 1, more: false } };
  const answer = { v: 2, kind: 'answer', node: 'their-node-their-node', now: 0, stores: told } as const;
  const other = new PeerSealer([Buffer.from('the secret of quite another site, as long')]);
  const cases: Record<string, PeerLinkOptions['ask']> = {
    'a refusal': async () => undefined,
    'no answer at all': async () => '<html>',
    'another key': async () => other.seal({ ...answer, nonce: 'nonce-nonce-nonce' }),
    'the answer to another question': async () => sealer().seal({ ...answer, nonce: 'nonce-nonce-nonce' }),
    'the question itself': async (text) => text,
  };
  for (const [name, ask] of Object.entries(cases)) {
    const { link, mine } = made(t, { ask });
    await link.poll();
    t.match(link.view, { state: 'stranger', reason: /keyFile/ }, name);
    t.strictSame(mine.words, [], name);
  }
});

t.test('what is not understood is said, and asked for again', async (t) => {
  const { link, mine, theirs } = made(t);
  mine.understood = false;
  theirs.words.push('a');
  await link.poll();
  t.match(link.view, { state: 'stranger', reason: /its words entries cannot be read/ });
  mine.understood = true;
  await link.poll();
  t.match(link.view, { state: 'in-step', entries: 1 });
});

t.test('knows itself', async (t) => {
  const { link } = made(t, { node: 'their-node-their-node', now: () => clock.now });
  await link.poll();
  t.equal(link.view.state, 'itself');
});

t.test('does not ask itself without a pause, though it offers itself that a question may stand', async (t) => {
  const node = 'this-node-this-node-this';
  let asked = 0;
  const { link } = made(t, {
    ask: async (text) => {
      asked += 1;
      const nonce = (await sealer().openQuestion(text))?.nonce ?? '';
      return sealer().seal({ v: 2, kind: 'answer', nonce, node, now: 0, stores: {}, stands: true });
    },
  });
  await link.start();
  t.equal(link.view.state, 'itself');
  for (let turn = 0; turn < 20; turn += 1) await delay(2);
  t.equal(asked, 1);
});

t.test('one that says there is more and never gets on is not asked without a pause', async (t) => {
  let asked = 0;
  const { link } = made(t, {
    ask: async (text) => {
      asked += 1;
      const nonce = (await sealer().openQuestion(text))?.nonce ?? '';
      const stores = { words: { entries: [], next: 7, more: true } };
      return sealer().seal({ v: 2, kind: 'answer', nonce, node: 'their-node-their-node', now: 0, stores });
    },
  });
  await link.start();
  t.equal(asked, 2);
  t.equal(link.view.state, 'in-step');
});

t.test('hears all anew, also when it is said in the middle of an answer', async (t) => {
  const { link, mine, theirs } = made(t);
  theirs.words.push('a', 'b');
  await link.start();
  mine.words.length = 0;
  await link.poll();
  t.same(mine.words, [], 'what was told is not told again');
  link.resync();
  await link.poll();
  t.same(mine.words, ['a', 'b']);
  const round = link.poll();
  link.resync();
  await round;
  mine.words.length = 0;
  await link.poll();
  t.same(mine.words, ['a', 'b']);
});

t.test('ages count from a moment between question and answer, whatever the other clock shows', async (t) => {
  const { link, mine, restart } = made(t);
  const before = monotonicNow();
  await link.poll();
  const after = monotonicNow();
  const [first = 0] = mine.at;
  t.ok(first >= before && first <= after);
  clock.now += 1000;
  await link.poll();
  t.ok((mine.at[1] ?? 0) <= monotonicNow(), 'no entry lies in the future, though that clock ran ahead');
  restart();
  clock.now = 12;
  const restarted = monotonicNow();
  await link.poll();
  t.ok((mine.at[2] ?? 0) >= restarted, 'another process has another clock');
});
