import assert from 'node:assert/strict';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { type GrantHolder, Grants } from '../../src/auth/grants.ts';
import { LedgerClock } from '../../src/ledger/ledger-clock.ts';
import { PeerLink } from '../../src/peer/peer-link.ts';
import { PeerSealer } from '../../src/peer/peer-sealer.ts';
import { PeerService } from '../../src/peer/peer-service.ts';
import { SharedGrants } from '../../src/peer/shared-grants.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const SECRET = Buffer.from('a secret of a pair that is long enough');
const sealer = new PeerSealer([SECRET]);
const DAY = 86_400_000;
const ann: GrantHolder = { authority: 'harbor', user: 'ann', password: 'x' };

/** Time as it is, which no edge can read. */
interface World {
  now: number;
  /** Milliseconds that a question takes, and its answer back. */
  way: [number, number];
}

function edge(t: Test, world: World, ahead: number, name: string, other: () => PeerService) {
  const clock = new LedgerClock(() => world.now + ahead);
  const grants = new Grants([SECRET], DAY, clock);
  t.teardown(() => grants.close());
  const shared = { sealer: () => sealer, stores: [new SharedGrants(grants)], node: name.repeat(16) };
  const service = new PeerService({ ...shared, now: () => clock.now() });
  const ask = async (text: string) => {
    world.now += world.way[0];
    const answer = await other().answer(text);
    world.now += world.way[1];
    return answer;
  };
  const link = new PeerLink({
    ...shared,
    now: () => clock.now(),
    url: 'https://x',
    address: 'x',
    ask,
    onState: () => undefined,
  });
  return { grants, service, link };
}

t.test('property: a refusal a moment after a grant at the other edge counts at both', async (t) => {
  const way = fc.tuple(fc.nat(200), fc.nat(200));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 3_600_000, -DAY),
      fc.integer({ min: 1, max: 300 }),
      fc.boolean(),
      fc.array(way, { minLength: 1, maxLength: 4 }),
      async (ahead, pause, whole, ways) => {
        const world: World = { now: 1_800_000_000_000, way: [1, 1] };
        const one: ReturnType<typeof edge> = edge(t, world, 0, 'a', () => two.service);
        const two: ReturnType<typeof edge> = edge(t, world, ahead, 'b', () => one.service);
        // Both have known the user for long.
        for (const { grants } of [one, two]) grants.remember(ann, ['library/a'], grants.now());
        world.now += 10_000;
        one.grants.remember(ann, ['library/a'], one.grants.now());
        world.now += pause;
        two.grants.revoke(ann, whole ? undefined : ['library/a'], two.grants.now());
        for (const each of ways) {
          world.way = each;
          await one.link.poll();
          await two.link.poll();
          world.now += 1000;
        }
        for (const { grants } of [one, two]) assert.equal(grants.pullValidMs(ann, 'library/a'), 0);
        // The next login counts again.
        one.grants.remember(ann, ['library/a'], one.grants.now());
        await two.link.poll();
        await one.link.poll();
        for (const { grants } of [one, two]) assert.ok(grants.pullValidMs(ann, 'library/a') > 0);
      },
    ),
    { numRuns: propertyRuns(200) },
  );
});
