import fc from 'fast-check';
import t from 'tap';
import { FailureEvidence } from '../../src/failover/failure-evidence.ts';

const RULES = { consecutive: 5, volume: 20, window: 10_000 };

/** `client/repository`, or `good` for a good answer, or `+ms`. */
type Step = string;

/** How many failures count after each step that is a failure. */
function counted(steps: readonly Step[], rules = RULES): number[] {
  const evidence = new FailureEvidence(rules);
  const counts: number[] = [];
  let now = 1000;
  for (const step of steps) {
    const [client = '', repository = ''] = step.split('/');
    if (step === 'good') evidence.succeeded();
    else if (step.startsWith('+')) now += Number(step);
    else counts.push(evidence.failed({ client, repository }, now));
  }
  return counts;
}

const times = (count: number, ...steps: Step[]): Step[] => Array.from({ length: count }, () => steps).flat();

t.test('which failures count for everybody', async (t) => {
  const rows: [says: string, steps: Step[], counts: number[]][] = [
    ['one failure', ['a/1'], [0]],
    ['one repository, whoever asks', ['a/1', 'b/1', 'c/1', 'd/1', 'e/1'], [0, 0, 0, 0, 0]],
    ['two repositories', ['a/1', 'b/2', 'c/1', 'd/2'], [0, 0, 0, 0]],
    ['one client, however many repositories', ['a/1', 'a/2', 'a/3', 'a/4', 'a/5'], [0, 0, 0, 0, 0]],
    ['three repositories of three clients: all three', ['a/1', 'b/2', 'c/3'], [0, 0, 3]],
    ['and each one after them', ['a/1', 'b/2', 'c/3', 'd/4', 'e/5'], [0, 0, 3, 1, 1]],
    ['two clients, of which one has failed in one repository', ['a/1', 'a/2', 'a/3', 'b/4'], [0, 0, 0, 0]],
    ['two clients with two repositories each', ['a/1', 'a/2', 'b/3', 'b/4'], [0, 0, 0, 4]],
    ['two clients that share one of three repositories', ['a/1', 'a/2', 'b/2', 'b/3'], [0, 0, 0, 4]],
    ['a noisy client and one other failure', [...times(6, 'n/1', 'n/2', 'n/3'), 'b/4'], Array(19).fill(0)],
    ['a noisy client gives one failure of a row', [...times(4, 'n/1'), 'b/2', 'c/3'], [0, 0, 0, 0, 0, 3]],
    ['one pair gives one failure of a row of five', ['a/1', 'b/2', 'c/3', 'c/3', 'c/3'], [0, 0, 3, 0, 0]],
    ['and another one in the next row', ['a/1', 'b/2', 'c/3', 'good', 'c/3', 'c/3'], [0, 0, 3, 1, 0]],
    ['failures before a good answer do not count any more', ['a/1', 'b/2', 'good', 'c/3'], [0, 0, 1]],
    ['what the edge asks by itself', ['edge/1', 'edge/2', 'n/3', 'n/4', 'edge/5'], [0, 0, 0, 0, 0]],
    ['what is long ago is forgotten', ['a/1', 'b/2', '+10000', 'c/3'], [0, 0, 0]],
    ['what is not so long ago is not', ['a/1', 'b/2', '+9999', 'c/3'], [0, 0, 3]],
  ];
  for (const [says, steps, counts] of rows) t.strictSame(counted(steps), counts, says);
});

t.test('one pair gives at most a quarter of what is counted in the window', async (t) => {
  const rows = times(8, 'good', 'n/1');
  const counts = counted(['a/2', 'b/3', ...rows]);
  t.equal(
    counts.reduce((sum, count) => sum + count, 0),
    5,
    'five of twenty',
  );
  t.equal(counted(['a/2', 'b/3', ...rows, '+10000', 'good', 'a/2', 'b/3', 'n/1']).at(-1), 3, 'and of the next window');
});

t.test('longer rows let a pair count more than once', async (t) => {
  const steps = ['a/1', 'b/2', ...times(5, 'c/3')];
  t.strictSame(counted(steps, { ...RULES, consecutive: 12 }), [0, 0, 3, 1, 1, 0, 0]);
});

t.test('a client that fails in many repositories does not crowd out the failures of others', async (t) => {
  const noise = Array.from({ length: 500 }, (_, index) => `n/${index}`);
  t.equal(counted(['a/x', 'b/y', ...noise]).at(-1), 1, 'the failures of a and b are still known');
  t.ok(counted(Array.from({ length: 500 }, (_, index) => `c${index}/${index}`)).at(-1), 'many clients');
});

t.test('for overload, only how wide it is matters', async (t) => {
  const evidence = new FailureEvidence(RULES);
  const wide = ['a/1', 'b/2', 'c/3', 'c/3'].map((step) => {
    const [client = '', repository = ''] = step.split('/');
    return evidence.isWidespread({ client, repository }, 1000);
  });
  t.strictSame(wide, [false, false, true, true]);
});

t.test('whatever happens: one client alone never counts, and one repository never does', async () => {
  const names = fc.constantFrom('1', '2', '3', '4', '5');
  const step = fc.oneof(
    names.map((repository) => `n/${repository}`),
    fc.constantFrom('good', '+3000'),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => counted(steps).every((count) => count === 0)));
  const one = names.map((client) => `${client}/only`);
  fc.assert(fc.property(fc.array(one, { maxLength: 60 }), (steps) => counted(steps).every((count) => count === 0)));
});

t.test('whatever a noisy client does, one failing neighbour is not enough', async () => {
  const noise = fc.constantFrom('1', '2', '3', '4', '5').map((repository) => `n/${repository}`);
  const step = fc.oneof(noise, fc.constantFrom('ann/app', 'good', '+3000'));
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => counted(steps).every((count) => count === 0)));
});
