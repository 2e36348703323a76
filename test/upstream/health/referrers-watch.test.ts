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

t.test('a list shows the API at once, a 404 only what the edge then finds', async (t) => {
  const { made, asked, ends } = watch();
  t.equal(made.support, 'unknown');
  made.note('lacks');
  made.note('lacks');
  t.equal(asked.length, 1, 'one look at a time');
  t.equal(made.support, 'unknown', 'what one client is told concerns no other (rule 8)');
  await ends('lacks');
  t.equal(made.support, 'lacks');
  made.note('lacks');
  t.equal(asked.length, 1, 'it is known');
  made.note('has');
  t.equal(made.support, 'has', 'the registry was upgraded');
});

t.test('looks are rare', async (t) => {
  const { made, asked, ends } = watch();
  made.note('lacks');
  await ends(new Error('reset'));
  t.equal(made.support, 'unknown');
  made.note('lacks');
  t.equal(asked.length, 1, 'not again within 10 s');
});

t.test('what is known outlasts a look that shows nothing', async (t) => {
  const { made, asked, ends } = watch();
  made.note('has');
  made.note('lacks');
  t.equal(asked.length, 1);
  await ends('unknown');
  t.equal(made.support, 'has');
  made.note('lacks');
  t.equal(asked.length, 1, 'not again within 10 minutes');
});
