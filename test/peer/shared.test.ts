import assert from 'node:assert/strict';
import { setImmediate as settled } from 'node:timers/promises';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { type GrantHolder, Grants } from '../../src/auth/grants.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { LedgerClock } from '../../src/ledger/ledger-clock.ts';
import type { PeerTime } from '../../src/peer/peer-clock.ts';
import { SharedGrants } from '../../src/peer/shared-grants.ts';
import { SharedLedger } from '../../src/peer/shared-ledger.ts';
import { SharedPushes } from '../../src/peer/shared-pushes.ts';
import type { SharedStore } from '../../src/peer/shared-store.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const SECRET = Buffer.from('a secret of a pair that is long enough');
const [A = '', B = ''] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`);
const DAY = 86_400_000;
/** A moment from which both sides count ages, after all that is told. */
const LATER = Date.now() + 100 * DAY;
const ann: GrantHolder = { authority: 'harbor', user: 'ann', password: 'x' };

/** A node, whose clock stands still but for what it tells. */
function node(t: Test, registries: Record<string, string> = { harbor: 'H' }, start = Date.now()) {
  const wall = { now: start };
  const clock = new LedgerClock(() => wall.now);
  const ledger = new Ledger({ tags: 1000, keep: 7 * DAY, clock });
  const grants = new Grants([SECRET], DAY, clock);
  t.teardown(() => ledger.close());
  t.teardown(() => grants.close());
  const shared = {
    ledger: new SharedLedger(ledger, () => new Map(Object.entries(registries))),
    grants: new SharedGrants(grants),
    pushes: new SharedPushes(
      ledger,
      () => new Map(Object.entries(registries)),
      (at) => clock.observe(at),
    ),
  };
  return { wall, ledger, grants, shared };
}

/** Tells one what the other has, as JSON, in small pages. */
function tell(from: SharedStore, to: SharedStore, since = 0, now = LATER, time?: PeerTime): number {
  let version = since;
  do {
    const { entries, next } = from.since(version, 3, LATER);
    to.merge(JSON.parse(JSON.stringify(entries)), now, time);
    version = next;
  } while (version < from.head);
  return version;
}

const place = (tag: string, upstream = 'harbor', repository = 'library/app') => ({ upstream, repository, tag });

t.test('tags reach another node under what it calls the registry', async (t) => {
  const [one, other] = [node(t), node(t, { primary: 'H', twin: 'H', cloud: 'C' })];
  one.ledger.recordSeen(place('1'), A, one.ledger.now());
  one.ledger.recordSeen(place('1'), B, one.ledger.now());
  one.ledger.recordDeleted(place('2'), one.ledger.now());
  tell(one.shared.ledger, other.shared.ledger);
  for (const upstream of ['primary', 'twin']) {
    t.equal(other.ledger.judge(place('1', upstream), A).verdict, 'stale');
    t.equal(other.ledger.judge(place('1', upstream), B).verdict, 'current');
  }
  t.equal(other.ledger.judge(place('1', 'cloud'), A).verdict, 'unrecorded');
  t.equal(other.ledger.judge(place('1', 'harbor'), A).verdict, 'unrecorded');
});

t.test('pushes reach another node, with their order', async (t) => {
  const [one, other] = [node(t), node(t, { primary: 'H', cloud: 'C' })];
  const push = (tag: string, digest: string, lossKnownFor?: number) =>
    one.ledger.recordPushed(place(tag), digest, one.ledger.now(), lossKnownFor);
  push('1', A);
  push('2', B);
  push('3', A, 0);
  one.ledger.recordPushed(place('4', 'gone'), A, one.ledger.now());
  tell(one.shared.ledger, other.shared.ledger);
  tell(one.shared.pushes, other.shared.pushes);
  const pushes = other.ledger.standingPushes('primary').map(({ tag, digest, afterLoss }) => [tag, digest, afterLoss]);
  t.strictSame(pushes, [
    ['3', A, true],
    ['2', B, false],
    ['1', A, false],
  ]);
  t.strictSame(other.ledger.pushes.of('cloud'), []);
  const { entries } = one.shared.pushes.since(0, 10, LATER);
  t.equal(other.shared.pushes.merge(entries, LATER), 0, 'the same again is no news');
  t.equal(other.shared.pushes.merge(entries, LATER + 1000 * DAY), 0, 'times that are far ahead are refused');
  t.equal(other.shared.pushes.merge([['H', 'library/app', '1', 'no digest', 1, null]], LATER), undefined);
});

t.test(
  'a read of one edge and a push at the other, closer to each other than their clocks can be compared',
  async (t) => {
    const DOUBT = 6;
    const time = { earliest: LATER - 1000, latest: LATER + 1000, doubt: DOUBT };
    const at = fc.integer({ min: 0, max: 100 });
    const edge = fc.nat(1);
    // The middle of an answer is mistaken by half of the time that it took.
    const mistake = fc.integer({ min: -DOUBT / 2, max: DOUBT / 2 });
    await fc.assert(
      fc.asyncProperty(
        // Another digest is pushed each time, or the tag is deleted. Writes are farther apart than two tellings can be mistaken.
        fc.array(fc.record({ edge, deleted: fc.boolean() }), { minLength: 1, maxLength: 5 }),
        // Reads show what the registry has at that moment.
        fc.array(fc.record({ edge, at }), { maxLength: 20 }),
        // Who tells the other one what it knows, and by how much each is mistaken about the other one's clock.
        fc.array(fc.record({ edge, at }), { maxLength: 10 }),
        fc.tuple(mistake, mistake),
        async (pushes, reads, tellings, mistakes) => {
          const start = Date.now();
          const nodes = [node(t, undefined, start), node(t, undefined, start)];
          const hear = async (from: number) => {
            const [told, hearing] = [nodes[from]?.shared, nodes[1 - from]?.shared];
            assert(told && hearing);
            for (const store of ['pushes', 'ledger'] as const)
              tell(told[store], hearing[store], 0, LATER + (mistakes[from] ?? 0), time);
            // What is set aside is settled at once, because nobody tells of a loss.
            await settled();
          };
          const begin = Date.now();
          let tag: string | null | undefined;
          let at = 0;
          const steps = [
            ...pushes.map(({ edge, deleted }, index) => {
              at += pushes[index - 1]?.edge === edge ? 12 : 25;
              const run = () => {
                tag = deleted ? null : `sha256:${String(index).repeat(64)}`;
                const ledger = nodes[edge]?.ledger;
                if (tag === null) ledger?.recordDeleted(place('1'), ledger.now());
                else ledger?.recordPushed(place('1'), tag, ledger.now());
              };
              return { at, run };
            }),
            ...reads.map(({ edge, at }) => ({
              at,
              run: () => tag && nodes[edge]?.ledger.recordSeen(place('1'), tag, nodes[edge].ledger.now()),
            })),
            ...tellings.map(({ edge, at }) => ({ at, run: () => hear(edge) })),
          ].sort((a, b) => a.at - b.at);
          for (const { at, run } of steps) {
            for (const one of nodes) one.wall.now = begin + at;
            await run();
          }
          for (const from of [0, 1, 0, 1]) await hear(from);
          for (const { ledger } of nodes) assert.equal(ledger.find(place('1'))?.[0]?.digest, tag);
          const times = () => JSON.stringify(nodes.map(({ ledger }) => ledger.pushes.of('harbor')));
          const before = times();
          for (const from of [0, 1]) await hear(from);
          assert.equal(times(), before, 'a push that comes back is the same push');
        },
      ),
      { numRuns: propertyRuns(2000) },
    );
  },
);

t.test('a password that is refused again, after it was right in between', async (t) => {
  const start = Date.now();
  const [one, other] = [node(t, undefined, start), node(t, undefined, start)];
  let known = 0;
  const told = () => {
    known = tell(one.shared.grants, other.shared.grants, known);
    return other.grants.pullValidMs(ann, 'a') > 0;
  };
  one.grants.remember(ann, ['a'], one.grants.now());
  one.grants.revoke(ann, undefined, one.grants.now());
  one.grants.remember(ann, ['a'], one.grants.now());
  t.ok(told());
  one.grants.revoke(ann, undefined, one.grants.now());
  t.notOk(told());
  one.grants.revoke(ann, undefined, one.grants.now());
  t.equal(one.shared.grants.head, known, 'a refusal that changes nothing is not told at once');
});

t.test('what an edge repeats is told at once to one that says the contrary', async (t) => {
  const start = Date.now();
  const [one, other] = [node(t, undefined, start), node(t, undefined, start)];
  const known = { ledger: [0, 0], grants: [0, 0] };
  const exchange = () => {
    for (const store of ['ledger', 'grants'] as const) {
      const [mine, theirs] = [one.shared[store], other.shared[store]];
      known[store] = [tell(mine, theirs, known[store][0]), tell(theirs, mine, known[store][1])];
    }
  };
  const later = () => {
    for (const { wall } of [one, other]) wall.now += 1;
  };
  const both = () =>
    [one, other].map(({ grants, ledger }) => [grants.pullValidMs(ann, 'a') > 0, ledger.find(place('1'))?.[0]?.digest]);
  const granted = (at: typeof one) => at.grants.remember(ann, ['a'], at.grants.now());
  const shown = (at: typeof one) => at.ledger.recordSeen(place('1'), A, at.ledger.now());
  for (const [what, contrary] of [
    ['a repository', () => other.grants.revoke(ann, ['a'], other.grants.now())],
    ['the password', () => other.grants.revoke(ann, undefined, other.grants.now())],
  ] as const) {
    granted(one);
    shown(one);
    exchange();
    later();
    contrary();
    other.ledger.recordDeleted(place('1'), other.ledger.now());
    later();
    granted(one);
    shown(one);
    for (let round = 0; round < 3; round += 1) exchange();
    t.strictSame(
      both(),
      [
        [true, A],
        [true, A],
      ],
      what,
    );
    later();
  }
  one.grants.revoke(ann, undefined, one.grants.now());
  exchange();
  later();
  granted(other);
  later();
  one.grants.revoke(ann, undefined, one.grants.now());
  for (let round = 0; round < 3; round += 1) exchange();
  t.match(both(), [[false], [false]], 'a password that was refused twice');
});

t.test('property: edges that are mistaken about the time of each other come to an end of contradicting', async (t) => {
  const WIDTH = 20;
  const bounds = fc.tuple(fc.nat(WIDTH), fc.nat(WIDTH)).map(([early, late]) => ({ early, late }));
  const step = fc.record({
    edge: fc.nat(1),
    what: fc.constantFrom('seen', 'deleted', 'remember', 'forget', 'refuse'),
    wait: fc.nat(12),
  });
  const told = fc.array(fc.tuple(step, fc.nat(4), bounds), { maxLength: 15 });
  fc.assert(
    fc.property(told, bounds, bounds, (steps, ...last) => {
      const start = Date.now();
      const nodes = [node(t, undefined, start), node(t, undefined, start)] as const;
      const known = { ledger: [0, 0], grants: [0, 0] };
      const tellFrom = (from: number, { early, late }: { early: number; late: number }) => {
        const [teller, hearer] = from === 0 ? nodes : [nodes[1], nodes[0]];
        // The truth lies anywhere between the bounds, and the middle is taken for it.
        const time = { earliest: LATER - early, latest: LATER + late, doubt: early + late };
        for (const store of ['ledger', 'grants'] as const)
          known[store][from] = tell(
            teller.shared[store],
            hearer.shared[store],
            known[store][from],
            LATER + (late - early) / 2,
            time,
          );
      };
      for (const [{ edge, what, wait }, tells, of] of steps) {
        for (const { wall } of nodes) wall.now += wait;
        const { ledger, grants } = nodes[edge === 0 ? 0 : 1];
        if (what === 'seen') ledger.recordSeen(place('1'), A, ledger.now());
        else if (what === 'deleted') ledger.recordDeleted(place('1'), ledger.now());
        else if (what === 'remember') grants.remember(ann, ['a'], grants.now());
        else grants.revoke(ann, what === 'forget' ? ['a'] : undefined, grants.now());
        if (tells < 2) tellFrom(tells, of);
      }
      const heads = () => JSON.stringify(nodes.map(({ shared }) => [shared.ledger.head, shared.grants.head]));
      let before = '';
      for (let round = 0; before !== heads(); round += 1) {
        assert.ok(round < 6, 'they go on');
        before = heads();
        for (const from of [0, 1] as const) tellFrom(from, last[from]);
      }
    }),
    { numRuns: propertyRuns(2000) },
  );
});

t.test('what an upstream was is not told of what it is now', async (t) => {
  const registries: Record<string, string> = { harbor: 'H' };
  const [one, other] = [node(t, registries), node(t)];
  one.ledger.recordSeen(place('1'), A, one.ledger.now());
  registries.harbor = 'another registry';
  tell(one.shared.ledger, other.shared.ledger);
  t.equal(other.ledger.size, 0);
});

t.test('that all is as it was is no news, for a minute', async (t) => {
  const one = node(t, undefined, Math.ceil(Date.now() / 60_000) * 60_000);
  const both = () => {
    one.ledger.recordSeen(place('1'), A, one.ledger.now());
    one.grants.remember(ann, ['library/a'], one.grants.now());
  };
  const heads = () => [one.shared.ledger.head, one.shared.grants.head];
  both();
  t.strictSame(heads(), [1, 2]);
  for (let again = 0; again < 50; again += 1) both();
  t.strictSame(heads(), [1, 2]);
  one.wall.now += 60_000;
  both();
  t.strictSame(heads(), [2, 4]);
  one.ledger.recordSeen(place('1'), B, one.ledger.now());
  one.grants.revoke(ann, ['library/a'], one.grants.now());
  t.strictSame(heads(), [3, 5], 'but what is other than before is, at once');
});

t.test('what was heard goes on to a third node, and comes back to nobody', async (t) => {
  const [one, two, three] = [node(t), node(t), node(t)];
  one.ledger.recordSeen(place('1'), A, one.ledger.now());
  one.grants.remember(ann, ['library/a'], one.grants.now());
  for (const store of ['ledger', 'grants'] as const) {
    tell(one.shared[store], two.shared[store]);
    tell(two.shared[store], three.shared[store]);
    const { head } = one.shared[store];
    tell(three.shared[store], one.shared[store]);
    t.equal(one.shared[store].head, head, `${store}: it knew that`);
  }
  t.ok(three.grants.pullValidMs(ann, 'library/a') > 0);
  t.equal(three.ledger.judge(place('1'), A).verdict, 'current');
});

t.test('what cannot be understood is refused as a whole', async (t) => {
  const { shared, ledger } = node(t);
  const hash = `${'a'.repeat(43)}=`;
  const good = { grants: [hash, 'library/a', 1, true], ledger: ['H', 'library/app', '1', [[A, 1, 1]]] };
  const bad: Record<'grants' | 'ledger', unknown[]> = {
    grants: [
      null,
      'x',
      [hash],
      [hash, 'a\nb', 1, true],
      ['short', 'a', 1, true],
      [hash, 'a', -1, true],
      [hash, 'a', Infinity, true],
      [hash, 'a', '1', true],
    ],
    ledger: [
      {},
      ['H', 'UPPER', '1', []],
      ['H', 'a', 'bad tag', []],
      ['H', 'a', '1', [[A, -1, 1]]],
      ['H', 'a', '1', Array(17).fill([A, 1, 1])],
      ['H', 'a', '1', [[7, 1, 1]]],
    ],
  };
  for (const name of ['grants', 'ledger'] as const)
    for (const one of bad[name]) t.equal(shared[name].merge([good[name], one], LATER), undefined, JSON.stringify(one));
  t.equal(ledger.size + shared.grants.head, 0);
  t.equal(shared.ledger.merge([['H', 'a', '1', [['sha256:short', 1, 1]]]], Date.now()), 0, 'no digest: not believed');
  t.equal(shared.ledger.merge([['H', 'a', '1', [[A, 1, 1]]]], Date.now() + DAY), 0, 'nor the day after');
});

t.test('property: two nodes that tell each other what changed end up with the same', async (t) => {
  const step = fc.record({
    node: fc.nat(1),
    what: fc.constantFrom('seen', 'deleted', 'remember', 'forget', 'refuse', 'tell'),
    name: fc.constantFrom('a', 'b', 'c'),
    digest: fc.constantFrom(A, B),
    wait: fc.constantFrom(0, 1, 30_000, 61_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      // Nodes whose clocks differ would disagree about what happened within that difference.
      const start = Date.now();
      const nodes = [node(t, undefined, start), node(t, undefined, start)] as const;
      const told = { ledger: [0, 0], grants: [0, 0] };
      const tellFrom = (from: 0 | 1) => {
        for (const store of ['ledger', 'grants'] as const)
          told[store][from] = tell(
            nodes[from].shared[store],
            nodes[from === 0 ? 1 : 0].shared[store],
            told[store][from],
          );
      };
      for (const { node: index, what, name, digest, wait } of steps) {
        for (const { wall } of nodes) wall.now += wait;
        const { ledger, grants } = nodes[index === 0 ? 0 : 1];
        if (what === 'seen') ledger.recordSeen(place(name), digest, ledger.now());
        else if (what === 'deleted') ledger.recordDeleted(place(name), ledger.now());
        else if (what === 'remember') grants.remember(ann, [name], grants.now());
        else if (what === 'forget') grants.revoke(ann, [name], grants.now());
        else if (what === 'refuse') grants.revoke(ann, undefined, grants.now());
        else tellFrom(index === 0 ? 0 : 1);
      }
      for (const round of [0, 1]) for (const from of [0, 1] as const) tellFrom(((from + round) % 2) as 0 | 1);
      const [one, other] = nodes.map(({ ledger, grants }) =>
        ['a', 'b', 'c'].map((name) => ({
          name,
          states: (ledger.find(place(name)) ?? []).map(({ digest }) => digest),
          granted: grants.pullValidMs(ann, name) > 0,
        })),
      );
      assert.deepEqual(one, other);
    }),
    { numRuns: propertyRuns(300) },
  );
});
