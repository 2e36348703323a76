import t from 'tap';
import { shrinkSteps } from './shrink.ts';

/** A schedule is wrong if it has these steps in this order. */
const needs = (needed: readonly string[]) => (steps: readonly string[]) => {
  let at = 0;
  for (const step of steps) if (step === needed[at]) at += 1;
  return Promise.resolve(at === needed.length);
};

t.test('what is left of a find are the steps that it needs', async (t) => {
  const steps = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'b', 'c'];
  for (const needed of [['a'], ['c', 'b'], ['a', 'e', 'c'], ['b', 'g'], []])
    t.strictSame(await shrinkSteps(steps, needs(needed)), needed, needed.join() || 'no step');
});

t.test('a step is dropped that only another dropped one had needed', async (t) => {
  // Without `open` there may be no `close`.
  const isWrong = (steps: readonly string[]) =>
    Promise.resolve(steps.includes('x') && (steps.includes('open') || !steps.includes('close')));
  t.strictSame(await shrinkSteps(['open', 'x', 'close'], isWrong), ['x']);
});
