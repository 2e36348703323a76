import t from 'tap';
import {
  initialProof,
  isAbsenceCredible,
  isListCredible,
  nextProof,
  type Proof,
  type ProofState,
  type Sight,
  unprovenObstacle,
  withCanaryAdvice,
} from '../../src/failover/proof.ts';

const at = (state: ProofState, since = 100, reason = 'before'): Proof => ({ state, since, reason });
const EMPTY: Sight = { kind: 'empty', reason: 'it lists no repositories' };
const UNCLEAR: Sight = { kind: 'unclear', reason: 'its catalog answers 405' };
const CONTENT: Sight = { kind: 'content' };

t.test('the proof of content in each state after each look', async (t) => {
  const empty = (state: ProofState, since = 200) => at(state, since, 'it lists no repositories');
  const unclear = (state: ProofState, since = 200) => at(state, since, 'its catalog answers 405');
  const proven = at('proven', 200, 'content was seen');
  const rows: [ProofState, Sight, allowEmpty: boolean, Proof][] = [
    ['unknown', CONTENT, false, proven],
    ['unknown', EMPTY, false, empty('unproven')],
    ['unknown', UNCLEAR, false, unclear('unknown', 100)],
    ['unknown', EMPTY, true, empty('allowed')],
    ['unknown', UNCLEAR, true, unclear('allowed')],
    ['unproven', CONTENT, false, proven],
    ['unproven', EMPTY, false, empty('unproven', 100)],
    // A list that cannot be read now does not unsay the empty one.
    ['unproven', UNCLEAR, false, at('unproven')],
    ['allowed', CONTENT, true, proven],
    ['allowed', EMPTY, true, empty('allowed', 100)],
    ['proven', CONTENT, false, at('proven')],
    ['proven', EMPTY, false, at('proven')],
    ['proven', UNCLEAR, true, at('proven')],
  ];
  for (const [state, sight, allowEmpty, expected] of rows)
    t.strictSame(nextProof(at(state), sight, allowEmpty, 200), expected, `${state}, ${sight.kind}, ${allowEmpty}`);
  t.strictSame(initialProof(5), { state: 'unknown', since: 5, reason: 'not looked at yet' });
});

t.test('what follows from each state', async (t) => {
  const rows: [ProofState, credible: boolean, takesUploads: boolean][] = [
    ['proven', true, true],
    ['allowed', true, true],
    ['unknown', false, true],
    ['unproven', false, false],
  ];
  for (const [state, credible, takesUploads] of rows) {
    t.equal(isAbsenceCredible(at(state)), credible, `${state}: a 404`);
    t.equal(unprovenObstacle('harbor', [at(state)]) === undefined, takesUploads, `${state}: uploads`);
  }
  t.equal(unprovenObstacle('harbor', [at('unproven'), at('proven')]), undefined, 'another URL takes uploads');
  t.equal(unprovenObstacle('harbor', []), undefined);
  t.equal(
    unprovenObstacle('harbor', [at('unproven', 100, 'it lists no repositories')]),
    'it lists no repositories, so its storage may be missing; if it is new and empty, run "breakwater canary push harbor", or set upstreams.harbor.probe.allowEmpty to true',
  );
});

t.test('a canary that is missing from the start', async (t) => {
  const missing = 'canary manifest answers 404';
  const advice = `${missing}; if the registry is new, run "breakwater canary push harbor"`;
  t.equal(withCanaryAdvice(missing, 'harbor', [at('unknown')]), advice);
  t.equal(withCanaryAdvice(missing, 'harbor', [at('proven')]), missing, 'it was there, so the storage is lost');
  t.equal(withCanaryAdvice('the probe timed out', 'harbor', [at('unknown')]), 'the probe timed out');
});

t.test('an empty list of repositories needs a good canary or allowEmpty', async (t) => {
  t.ok(isListCredible(1, 'none', [at('unproven')]));
  t.ok(isListCredible(0, 'good', [at('proven')]));
  t.ok(isListCredible(0, 'none', [at('allowed')]));
  for (const state of ['proven', 'unproven', 'unknown'] as const)
    for (const canary of ['none', 'failing'] as const) t.notOk(isListCredible(0, canary, [at(state)]), state);
  t.notOk(isListCredible(0, 'none', [at('allowed'), at('unproven')]));
  t.notOk(isListCredible(0, 'none', []));
});
