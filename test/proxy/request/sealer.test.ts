import t from 'tap';
import { DOWNLOAD_MS, Sealer } from '../../../src/proxy/request/sealer.ts';
import { CLOCK_STEPS, MockedTime } from '../../helpers/host-clock.ts';

const ORIGIN = { upstream: 'harbor', url: 'https://harbor.lan' };

t.test('a redirect is good for ten minutes; a clock that is set makes it useless, and not eternal', async (t) => {
  const time = new MockedTime(t);
  const sealer = new Sealer([Buffer.from('a secret of a pair that is long enough')]);
  const sealed = await sealer.seal({ kind: 'download', path: '/x', expires: Date.now() + DOWNLOAD_MS, ...ORIGIN });
  const isGood = async () => (await sealer.open(sealed, 'download')) !== undefined;
  t.equal(await isGood(), true);
  for (const [name, step] of Object.entries(CLOCK_STEPS)) {
    time.setHostClock(step);
    t.equal(await isGood(), false, name);
    time.setHostClock(-step);
  }
  time.setHostClock(-DOWNLOAD_MS);
  t.equal(await isGood(), true, 'a small step back');
  time.setHostClock(-1);
  t.equal(await isGood(), false);
  time.setHostClock(DOWNLOAD_MS + 1);
  time.pass(DOWNLOAD_MS);
  t.equal(await isGood(), true, 'to its last moment');
  time.pass(1);
  t.equal(await isGood(), false);
});

t.test('an upload session has no end, whatever the clock shows', async (t) => {
  const time = new MockedTime(t);
  const sealer = new Sealer([Buffer.from('a secret of a pair that is long enough')]);
  const sealed = await sealer.seal({ kind: 'upload', repository: 'a', path: '/x', ...ORIGIN });
  for (const [name, step] of Object.entries(CLOCK_STEPS)) {
    time.setHostClock(step);
    t.ok(await sealer.open(sealed, 'upload'), name);
  }
});
