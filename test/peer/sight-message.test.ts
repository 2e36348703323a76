import t from 'tap';
import { z } from 'zod';
import type { ToldSight } from '../../src/failover/vip-eligibility.ts';
import { peerAnswer } from '../../src/peer/peer-message.ts';
import { hearSight, sightMessage, tellSight } from '../../src/peer/sight-message.ts';

const AT = { monotonic: 50_000, wall: 1_800_000_000_000 };
const SIGHT: ToldSight = {
  ...{ holds: true, defers: false, away: false, vip: true },
  upstreams: [
    { id: 'h', pulls: 'no', pullsSince: 40_000, pushes: 'no', pushesSince: 41_000, goodAt: 39_000, probedAt: 49_500 },
    { id: 'g', pulls: 'yes', pullsSince: 0, pushes: 'none', pushesSince: 0, goodAt: undefined, probedAt: undefined },
  ],
};
const answer = (over: object) => ({
  ...{ v: 2, kind: 'answer', nonce: 'nonce-nonce-nonce-1', node: 'node-node-node-node', now: 1, stores: {} },
  ...over,
});
/** The answer as the release before understood it. */
const before = peerAnswer.omit({ sight: true });

t.test('ages are told, and become times of the edge that hears them', async (t) => {
  const message = sightMessage.parse(JSON.parse(JSON.stringify(tellSight(SIGHT, '0.1.0', AT))));
  const heard = hearSight(message, '10.0.0.12:443', { earliest: 1_000_000, latest: 1_000_020 });
  t.match(heard, { peer: '10.0.0.12:443', toldAt: 1_000_000, holds: true, defers: false, away: false, vip: true });
  t.strictSame(heard.upstreams, [
    {
      ...{ id: 'h', pulls: 'no', pullsSince: 990_020, pushes: 'no', pushesSince: 991_020 },
      ...{ goodAt: 989_000, probedAt: 999_500 },
    },
    {
      ...{ id: 'g', pulls: 'yes', pullsSince: 950_020, pushes: 'none', pushesSince: 950_020 },
      ...{ goodAt: undefined, probedAt: undefined },
    },
  ]);
});

t.test('in a rolling upgrade, an edge of the release before is no stranger, and has no sight', async (t) => {
  const sight = tellSight(SIGHT, '0.1.0', AT);
  t.match(peerAnswer.parse(answer({ sight })), { sight: { release: '0.1.0' } });
  t.notHas(before.parse(answer({ sight })), 'sight', 'the release before does not see it');
  t.equal(peerAnswer.parse(answer({})).sight, undefined);
  t.equal(peerAnswer.parse(answer({ sight: { ...sight, v: 2 } })).sight, undefined, 'a later release');
  t.match(peerAnswer.parse(answer({ sight: { ...sight, more: 1 } })).sight, { release: '0.1.0' });
});

t.test('what is malformed or too much is no sight', async (t) => {
  const sight = tellSight(SIGHT, '0.1.0', AT);
  const [row = []]: unknown[][] = sight.upstreams;
  const rows: Record<string, object> = {
    'a release with a line end': { release: '0\n1' },
    'a release without end': { release: 'x'.repeat(41) },
    'a negative age': { upstreams: [row.with(2, -1)] },
    'an age without a number': { upstreams: [row.with(2, null)] },
    'another word': { upstreams: [row.with(1, 'maybe')] },
    'a long name': { upstreams: [row.with(0, 'x'.repeat(65))] },
    'too many upstreams': { upstreams: Array.from({ length: 257 }, () => row) },
    'a clock without a number': { wall: 'noon' },
    'no promise': { holds: undefined },
  };
  for (const [name, over] of Object.entries(rows))
    t.equal(peerAnswer.parse(answer({ sight: { ...sight, ...over } })).sight, undefined, name);
  for (const wrong of [null, 7, 'x', []]) t.equal(peerAnswer.parse(answer({ sight: wrong })).sight, undefined);
});

t.test('of very many upstreams only some are told, and the others count as not seen', async (t) => {
  const [one] = SIGHT.upstreams;
  const upstreams = Array.from({ length: 300 }, (_, index) => ({ ...one, id: `u${index}` })) as ToldSight['upstreams'];
  const message = tellSight({ ...SIGHT, upstreams }, '0.1.0', AT);
  t.equal(sightMessage.parse(message).upstreams.length, 256);
  t.ok(JSON.stringify(message).length < 20_000, 'bounded');
});

t.test('a clock that stood still gives no negative age', async (t) => {
  const { upstreams } = tellSight(SIGHT, '0.1.0', { ...AT, monotonic: 1 });
  t.ok(
    z
      .array(z.array(z.any()))
      .parse(upstreams)
      .flat()
      .every((one) => typeof one !== 'number' || one >= 0),
  );
});
