import t from 'tap';
import type { ReferrersSupport } from '../../../src/oci/referrers-list.ts';
import { ReferrersWatch } from '../../../src/upstream/health/referrers-watch.ts';

function watch() {
  const asked: PromiseWithResolvers<ReferrersSupport>[] = [];
  const made = new ReferrersWatch(() => {
    const one = Promise.withResolvers<ReferrersSupport>();
    asked.push(one);
    return one.promise;
  });
  /** The look that is under way ends. */
  const ends = async (shown: ReferrersSupport | Error) => {
    const last = asked.at(-1);
    if (shown instanceof Error) last?.reject(shown);
    else last?.resolve(shown);
    await new Promise(setImmediate);
  };
  return { made, asked, ends };
}

t.test('what a look finds, and a list shows', async (t) => {
  const { made, asked, ends } = watch();
  t.equal(made.support, 'unknown');
  made.lookIfDue();
  made.lookIfDue();
  t.equal(asked.length, 1, 'one look at a time');
  t.equal(made.support, 'unknown');
  await ends('lacks');
  t.equal(made.support, 'lacks');
  made.lookIfDue();
  t.equal(asked.length, 1, 'not again within 10 minutes');
  made.noteList();
  t.equal(made.support, 'has', 'the registry was upgraded');
});

t.test('a look that finds nothing leaves what is known', async (t) => {
  for (const shown of ['unknown', new Error('reset')] as const) {
    const { made, asked, ends } = watch();
    made.noteList();
    made.lookIfDue();
    await ends(shown);
    t.equal(made.support, 'has');
    made.lookIfDue();
    t.equal(asked.length, 1, 'not again within a minute');
  }
});
