import t from 'tap';
import { ShownRepositories } from '../../../src/proxy/pull/shown-repositories.ts';

const [ANN, BOB] = ['Basic ann', 'Basic bob'];
const HOUR = 3_600_000;

t.test('what was shown to some credentials, and for how long', async (t) => {
  let now = 1;
  const shown = new ShownRepositories(() => now);
  shown.note('harbor', 'app', ANN, 'node');
  t.ok(shown.has('harbor', 'app', ANN));
  for (const [upstream, repository, authorization] of [
    ['harbor', 'app', BOB],
    ['harbor', 'app', undefined],
    ['harbor', 'other', ANN],
    ['gcr', 'app', ANN],
  ] as const)
    t.notOk(shown.has(upstream, repository, authorization), `${upstream} ${repository} ${authorization}`);
  now = HOUR;
  t.ok(shown.has('harbor', 'app', ANN));
  now = HOUR + 2;
  t.notOk(shown.has('harbor', 'app', ANN));
});

t.test('tokens count as the login by which they were made', async (t) => {
  const shown = new ShownRepositories();
  for (const [token, login] of [
    ['one', ANN],
    ['two', ANN],
    ['three', BOB],
    ['open', undefined],
  ] as const)
    shown.noteToken(token, login, 'node');
  shown.note('harbor', 'app', 'Bearer one', 'node');
  t.ok(shown.has('harbor', 'app', 'bearer two'), 'another token of the same login');
  for (const other of ['Bearer three', 'Bearer open', 'Bearer unknown', undefined])
    t.notOk(shown.has('harbor', 'app', other), other ?? 'no credentials');
  shown.note('harbor', 'public', 'Bearer open', 'node');
  for (const any of ['Bearer one', 'Bearer unknown', BOB, undefined])
    t.ok(shown.has('harbor', 'public', any), `what is open to everybody is open to ${any ?? 'nobody'}`);
});

t.test('what is taken back', async (t) => {
  const shown = new ShownRepositories();
  const all = () => [ANN, BOB, undefined].map((one) => shown.has('harbor', 'app', one));
  for (const one of [ANN, BOB]) shown.note('harbor', 'app', one, 'node');
  shown.takeBack('harbor', 'app', ANN);
  t.strictSame(all(), [false, true, false], 'from these credentials alone');
  shown.note('harbor', 'app', undefined, 'node');
  shown.takeBack('harbor', 'app', undefined);
  t.strictSame(all(), [true, true, true], 'no client without credentials takes from the others');
  shown.forget('gcr');
  t.strictSame(all(), [true, true, true], 'another upstream');
  shown.forget('harbor');
  t.strictSame(all(), [false, false, false], 'the upstream changed');
});

t.test('no client crowds out the others', async (t) => {
  const shown = new ShownRepositories();
  shown.noteToken('quiet', ANN, 'quiet');
  shown.note('harbor', 'app', 'Bearer quiet', 'quiet');
  for (let index = 0; index < 25_000; index += 1) {
    shown.noteToken(`noisy${index}`, `login ${index}`, 'noisy');
    shown.note('harbor', 'app', `Bearer noisy${index}`, 'noisy');
  }
  t.ok(shown.has('harbor', 'app', 'Bearer quiet'));
  t.notOk(shown.has('harbor', 'app', 'Bearer noisy0'), 'its own oldest ones are dropped');
  t.ok(shown.has('harbor', 'app', 'Bearer noisy24999'));
});
