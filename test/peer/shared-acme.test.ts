import t from 'tap';
import { AcmeState } from '../../src/acme/acme-state.ts';
import { makeLeaf } from '../../src/certificates/certificate-maker.ts';
import { SharedAcme } from '../../src/peer/shared-acme.ts';

const DAY = 86_400_000;
const DIRECTORY = 'https://production.test/dir';
const STAGING = 'https://staging.test/dir';
const NOW = Date.parse('2026-11-30T12:00:00Z');

function edge(now = () => NOW) {
  const state = new AcmeState({ names: ['cr.test'], directory: DIRECTORY }, now);
  return { state, shared: new SharedAcme(state, now) };
}
const leafUntil = (days: number, names = ['cr.test']) =>
  makeLeaf({ names, from: new Date(NOW), until: new Date(NOW + days * DAY) });

t.test('ages are told, so that clocks of edges may differ', async (t) => {
  const one = edge();
  const two = edge(() => NOW + 3 * DAY);
  one.state.addOrder('00112233aabbccdd', NOW - DAY);
  one.state.claim({ edge: '00112233aabbccdd', at: NOW - 5_000, ordering: true });
  one.state.addChallenge('token', 'token.print');
  t.equal(two.shared.merge(one.shared.since(0, 100, 0).entries, 0), 3);
  t.strictSame(two.state.orders, [NOW + 2 * DAY]);
  t.strictSame(two.state.claims, [{ edge: '00112233aabbccdd', at: NOW + 3 * DAY - 5_000, ordering: true }]);
  t.equal(two.state.answerFor('token'), 'token.print');
  t.equal(two.shared.merge(one.shared.since(0, 100, 0).entries, 0), 0, 'the same again is nothing new');
  one.state.endClaim('00112233aabbccdd');
  two.shared.merge(one.shared.since(0, 100, 0).entries, 0);
  t.strictSame(two.state.claims, [], 'an order that is over claims nothing');
});

t.test("an operator's wish is told, ends everywhere, and is forgotten after an hour", async (t) => {
  let later = 0;
  const one = edge();
  const two = edge(() => NOW + later);
  const tell = () => two.shared.merge(one.shared.since(0, 100, 0).entries, 0);
  one.state.addWish('00112233aabbccdd');
  t.equal(tell(), 1);
  t.equal(two.state.wish, '00112233aabbccdd');
  t.equal(tell(), 0, 'the same again is nothing new');
  later = 3_600_000;
  t.equal(two.state.wish, undefined);
  later = 0;
  one.state.endWish();
  t.equal(tell(), 1);
  t.equal(two.state.wish, undefined);
  t.equal(two.shared.merge([['wish', '00112233aabbccdd', 0, false]], 0), 0, 'what is over stays so');
  t.equal(two.shared.merge([['wish', '0011223344556677', 5000, false]], 0), 0, 'an older one is none');
  one.state.endWish();
  t.equal(tell(), 0);
});

t.test('only a better certificate is taken', async (t) => {
  const { state, shared } = edge();
  const [short, long, other] = [await leafUntil(10), await leafUntil(90), await leafUntil(900, ['other.test'])];
  const [expired, late] = [await leafUntil(0), await leafUntil(80)];
  const take = ({ cert, key }: { cert: string; key: string }, directory = DIRECTORY) =>
    shared.merge([['certificate', cert, key, directory]], 0);
  t.equal(take(expired), 1);
  t.equal(take(long, STAGING), 1, 'one of another server is better than none, and than an expired one');
  t.equal(state.span?.complete, false);
  t.equal(take(late, STAGING), 0);
  t.equal(take(expired), 0);
  t.equal(take(short), 1);
  t.equal(take(late, STAGING), 0, 'of another server');
  t.equal(take(long, ''), 0, 'of an unknown server');
  t.equal(take(long), 1);
  const third = edge();
  third.shared.merge(shared.since(0, 100, 0).entries, 0);
  t.strictSame(third.state.pair, state.pair, 'the directory is told');
  t.equal(take(short), 0, 'it ends earlier');
  t.equal(take(other), 0, 'it lacks the name');
  t.equal(take({ cert: long.cert, key: short.key }), 0, 'the key is another one');
  t.equal(take({ cert: 'garbage', key: 'garbage' }), 0);
  t.equal(state.pair?.key, long.key);
});

t.test('what is malformed is not merged, and what is much is bounded', async (t) => {
  const { state, shared } = edge();
  for (const wrong of [
    ['challenge', '../x', 'a', 0],
    ['claim', 'id', 0, true, false],
    ['order', '0'.repeat(16), -1],
    ['what'],
    7,
  ])
    t.equal(shared.merge([wrong], 0), undefined);
  const many = Array.from({ length: 1000 }, (_, index) => ['challenge', `t${index}`, 'a', 0]);
  shared.merge(many, 0);
  t.equal(state.answerFor('t0'), undefined);
  t.equal(state.answerFor('t999'), 'a');
  const id = (index: number) => index.toString(16).padStart(16, '0');
  shared.merge(
    Array.from({ length: 1000 }, (_, index) => ['claim', id(index), 0, false, false]),
    0,
  );
  t.equal(state.claims.length, 64);
  shared.merge(
    Array.from({ length: 1000 }, (_, index) => ['order', id(index), 0]),
    0,
  );
  t.equal(state.orders.length, 64);
});
