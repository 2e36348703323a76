import t from 'tap';
import type { UploadVerdict } from '../../../src/failover/upload-refusal.ts';
import { UploadWatch } from '../../../src/upstream/health/upload-watch.ts';
import { until } from '../../helpers/until.ts';

/** A watch whose own starts are answered as `verdict` says. */
function made(t: { teardown(end: () => void): void }, verdict: UploadVerdict | Error, everyMs = 20) {
  const state = { verdict, starts: 0, changes: 0 };
  const watch = new UploadWatch({
    start: async () => {
      state.starts += 1;
      if (state.verdict instanceof Error) throw state.verdict;
      return state.verdict;
    },
    onChange: () => {
      state.changes += 1;
    },
    everyMs,
  });
  t.teardown(() => watch.stop());
  return { watch, state };
}

t.test('one client that is refused says nothing of others', async (t) => {
  for (const verdict of ['taken', 'unknown', new Error('it is down')] as const) {
    const { watch, state } = made(t, verdict, 60_000);
    t.equal(await watch.noteRefusal(), false);
    t.equal(watch.refuses, false);
    for (let again = 0; again < 20; again += 1) await watch.noteRefusal();
    t.strictSame(state, { verdict, starts: 1, changes: 0 }, 'it does not try again at once');
  }
});

t.test('without credentials of its own', async (t) => {
  const watch = new UploadWatch({ start: () => undefined, onChange: () => t.fail('nothing changes') });
  t.equal(await watch.noteRefusal(), false);
});

t.test('an upload of its own that is refused too', async (t) => {
  const { watch, state } = made(t, 'none');
  const both = await Promise.all([watch.noteRefusal(), watch.noteRefusal()]);
  t.strictSame(both, [true, true]);
  t.equal(state.starts, 1, 'simultaneous clients share one');
  t.equal(state.changes, 1);
  await until(() => state.starts > 2, { what: () => 'further tries' });
  state.verdict = new Error('it restarts');
  const tries = state.starts;
  await until(() => state.starts > tries + 1, { what: () => 'tries that fail' });
  t.ok(watch.refuses, 'what it does not answer changes nothing');
  t.equal(state.changes, 1);
  state.verdict = 'taken';
  await until(() => !watch.refuses, { what: () => 'the end' });
  t.equal(state.changes, 2);
  const after = state.starts;
  await new Promise((resolve) => setTimeout(resolve, 60));
  t.equal(state.starts, after, 'no more tries');
});

t.test('it ends with its upstream', async (t) => {
  const { watch, state } = made(t, 'none');
  await watch.noteRefusal();
  watch.stop();
  const { starts } = state;
  await new Promise((resolve) => setTimeout(resolve, 60));
  t.equal(state.starts, starts);
});
