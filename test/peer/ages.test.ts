import assert from 'node:assert/strict';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { Ledger } from '../../src/ledger/ledger.ts';
import { LedgerClock } from '../../src/ledger/ledger-clock.ts';
import { PeerLink } from '../../src/peer/peer-link.ts';
import { PeerSealer } from '../../src/peer/peer-sealer.ts';
import { PeerService } from '../../src/peer/peer-service.ts';
import { SharedLedger } from '../../src/peer/shared-ledger.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const sealer = new PeerSealer([Buffer.from('a secret of a pair that is long enough')]);
const [A = '', B = ''] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const tag = { upstream: 'harbor', repository: 'library/app', tag: '1' };

/** Time as it is, which no edge can read. */
interface World {
  now: number;
}

/** An edge whose clock has started anywhere. */
class EdgeModel {
  readonly ledger: Ledger;
  readonly service: PeerService;
  readonly link: PeerLink;
  /** Milliseconds that a question takes to the other edge, and its answer back. */
  way = [1, 1];

  constructor(t: Test, world: World, ahead: number, name: string, other: () => EdgeModel) {
    const clock = new LedgerClock(() => world.now + ahead);
    this.ledger = new Ledger({ tags: 10, keep: 7 * DAY, clock });
    t.teardown(() => this.ledger.close());
    const stores = [new SharedLedger(this.ledger, () => new Map([['harbor', 'H']]))];
    const shared = { sealer: () => sealer, stores, node: name.repeat(16), now: () => clock.now() };
    this.service = new PeerService(shared);
    const ask = async (text: string) => {
      const [there = 0, back = 0] = this.way;
      world.now += there;
      const answer = await other().service.answer(text);
      world.now += back;
      return answer;
    };
    this.link = new PeerLink({ ...shared, url: 'https://x', address: 'x', ask, onState: () => undefined });
  }
}

function pair(t: Test, ahead: number): { world: World; one: EdgeModel; two: EdgeModel } {
  const world = { now: 1_800_000_000_000 };
  const one: EdgeModel = new EdgeModel(t, world, 0, 'a', () => two);
  const two: EdgeModel = new EdgeModel(t, world, ahead, 'b', () => one);
  return { world, one, two };
}

const APART = [0, HOUR, -HOUR, 8 * DAY, -8 * DAY, 20_000 * DAY];

t.test('edges whose clocks have nothing in common agree on what is newer, and how old it is', async (t) => {
  for (const ahead of APART) {
    const { world, one, two } = pair(t, ahead);
    one.ledger.recordSeen(tag, A, one.ledger.now());
    world.now += 1000;
    await two.link.poll();
    t.equal(two.ledger.judge(tag, A).verdict, 'current', `${ahead} ms`);
    two.ledger.recordSeen(tag, B, two.ledger.now());
    world.now += 6 * DAY;
    await one.link.poll();
    t.equal(one.ledger.judge(tag, B).verdict, 'current', `${ahead} ms`);
    t.equal(one.ledger.judge(tag, A).verdict, 'stale', `${ahead} ms`);
    world.now += DAY;
    t.equal(one.ledger.judge(tag, B).verdict, 'unrecorded', 'it is kept no longer than where it was seen');
  }
});

t.test('what comes back from the other edge is told again at most once', async (t) => {
  for (const ahead of APART) {
    const { world, one, two } = pair(t, ahead);
    one.ledger.recordSeen(tag, A, one.ledger.now());
    const told: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      one.way = [round % 3, 1];
      await two.link.poll();
      await one.link.poll();
      world.now += 1000;
      told.push(one.link.view.entries + two.link.view.entries);
    }
    t.ok((told.at(-1) ?? 0) <= 4, `${ahead} ms: ${told}`);
    t.equal(told.at(-1), told.at(9), 'and then no more');
  }
});

t.test('property: pushes further apart than a round trip have the same order at both edges', async (t) => {
  const push = fc.record({
    at: fc.nat(1),
    digest: fc.constantFrom(A, B),
    pause: fc.integer({ min: 200, max: 90_000 }),
    way: fc.tuple(fc.nat(60), fc.nat(60)),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...APART),
      fc.array(push, { minLength: 1, maxLength: 12 }),
      async (ahead, pushes) => {
        const { world, one, two } = pair(t, ahead);
        for (const { at, digest, pause, way } of pushes) {
          const edge = at === 0 ? one : two;
          edge.ledger.recordSeen(tag, digest, edge.ledger.now());
          world.now += pause;
          for (const each of [one, two]) each.way = way;
          if (pause > 30_000) for (const each of [one, two]) await each.link.poll();
        }
        for (let round = 0; round < 2; round += 1) for (const each of [one, two]) await each.link.poll();
        const last = pushes.at(-1)?.digest;
        for (const each of [one, two]) assert.equal(each.ledger.find(tag)?.[0]?.digest, last);
      },
    ),
    { numRuns: propertyRuns(200) },
  );
});
