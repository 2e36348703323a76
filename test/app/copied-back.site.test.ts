import t from 'tap';
import { takeSnapshot } from '../helpers/store-snapshot.ts';
import { until } from '../helpers/until.ts';
import { startLostContentSite } from './lost-content-site.ts';

// Ten seconds pass between two looks for what is gone.
t.test('what is copied back while the primary runs is missed no longer, without a command', async (t) => {
  const site = await startLostContentSite(t);
  await site.push('team/app:0', 'as ever');
  const back = takeSnapshot(site.lab.primary);
  const digests = [await site.push('team/app:1', 'new'), await site.push('team/app:2', 'second')];
  const forth = takeSnapshot(site.lab.primary);
  back();
  t.match(await site.pull('team/app:2'), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.ok(site.lost);
  forth();
  await until(() => site.lost === undefined, { timeout: 60_000, what: () => 'the loss to end' });
  await site.compared(1);
  t.equal(site.onFallback('team/app:1'), digests[0]);
});
