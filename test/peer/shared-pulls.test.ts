import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { SharedPulls } from '../../src/peer/shared-pulls.ts';
import { PulledLog } from '../../src/replication/coverage/pulled-log.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const [A = '', B = ''] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`);

const ROUND = 600_000;
/** A moment from which both sides count ages, after all that is told. */
const LATER = Date.now() + 1e9;

function node() {
  const wall = { now: Math.ceil(Date.now() / ROUND) * ROUND };
  const log = new PulledLog({ max: 100, now: () => wall.now });
  return { wall, log, shared: new SharedPulls(log) };
}

/** Tells one what it has not heard of the other, as JSON, in small pages. @returns up to where */
function tell(from: SharedPulls, to: SharedPulls, heard = 0): number {
  let version = heard;
  do {
    const { entries, next } = from.since(version, 2, LATER);
    to.merge(JSON.parse(JSON.stringify(entries)), LATER);
    version = next;
  } while (version < from.head);
  return version;
}

t.test('what one node served the others know, and it comes back to nobody', async (t) => {
  const [one, two, three] = [node(), node(), node()];
  for (const reference of ['1', '2', A])
    one.log.record({ registry: undefined, repository: 'library/app', reference, digest: A });
  one.log.record({ registry: 'docker.io', repository: 'library/app', reference: '1', digest: A });
  tell(one.shared, two.shared);
  tell(two.shared, three.shared);
  const sorted = (log: PulledLog) => [...log.within(1e9)].map((pulled) => JSON.stringify(pulled)).sort();
  t.equal([...three.log.within(1e9)].length, 4);
  t.strictSame(sorted(three.log), sorted(one.log));
  const { head } = one.shared;
  tell(three.shared, one.shared);
  t.equal(one.shared.head, head);
  const again = (digest: string) => {
    three.log.record({ registry: undefined, repository: 'library/app', reference: '1', digest });
    return three.shared.head;
  };
  const before = three.shared.head;
  three.wall.now += 61_000;
  t.equal(again(A), before, 'that it was pulled again is no news, for ten minutes');
  t.equal(again(B), before + 1, 'but another digest is');
  three.wall.now += ROUND;
  t.equal(again(B), before + 2);
  one.wall.now = three.wall.now;
  tell(three.shared, one.shared);
  t.equal(one.log.find('\nlibrary/app\n1')?.digest, B);
});

t.test('what cannot be understood is refused as a whole', async (t) => {
  const { log, shared } = node();
  const good = [null, 'library/app', '1', A, 1];
  for (const bad of [
    null,
    {},
    [],
    ['a\nb', 'library/app', '1', A, 1],
    ['x'.repeat(300), 'library/app', '1', A, 1],
    [null, 'UPPER', '1', A, 1],
    [null, 'library/app', 'bad tag', A, 1],
    [null, 'library/app', 'sha256:short', A, 1],
    [null, 'library/app', '1', 'sha256:short', 1],
    [null, 'library/app', '1', A, -1],
    [null, 'library/app', '1', A, '1'],
    [null, 'library/app', '1', A, Number.POSITIVE_INFINITY],
  ])
    t.equal(shared.merge([good, bad], Date.now()), undefined, JSON.stringify(bad));
  t.strictSame([...log.within(1e9)], []);
  t.equal(shared.merge([good], Date.now()), 1);
});

t.test('property: two nodes that tell each other what changed end up with the same', async () => {
  const step = fc.record({
    node: fc.nat(1),
    tell: fc.boolean(),
    reference: fc.constantFrom('1', A),
    digest: fc.constantFrom(A, B),
    wait: fc.constantFrom(1, 30_000, 61_000, ROUND),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const nodes = [node(), node()] as const;
      const heard = new Map<PulledLog, number>();
      const ask = (from: (typeof nodes)[number], to: (typeof nodes)[number]) =>
        heard.set(from.log, tell(from.shared, to.shared, heard.get(from.log)));
      for (const { node: index, tell: tells, reference, digest, wait } of steps) {
        for (const { wall } of nodes) wall.now += wait;
        const [mine, other] = index === 0 ? nodes : [nodes[1], nodes[0]];
        if (tells) ask(mine, other);
        else mine.log.record({ registry: undefined, repository: 'library/app', reference, digest });
      }
      for (let round = 0; round < 2; round += 1) {
        ask(nodes[0], nodes[1]);
        ask(nodes[1], nodes[0]);
      }
      const known = ({ log }: (typeof nodes)[number]) =>
        [...log.within(1e9)].map(({ reference, digest }) => `${reference} ${digest}`).sort();
      assert.deepEqual(known(nodes[0]), known(nodes[1]));
    }),
    { numRuns: propertyRuns(500) },
  );
});
