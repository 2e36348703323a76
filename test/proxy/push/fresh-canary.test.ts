import t from 'tap';
import { codeOf, startLabSite } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';

const START = '/v2/team/new/blobs/uploads/';

t.test('the start of an upload is not preceded by a read of a canary that is fresh', async (t) => {
  const site = await startLabSite(t);
  await site.primary.faults.on('delay', { ms: 700, kind: ['manifest', 'blob'] });
  const waits: number[] = [];
  // Without a fresh canary, an upload waits 400 ms for it. The machine may be busy at some of them.
  const isSentAtOnce = () => waits.some((ms) => ms < 350);
  for (let round = 0; round < 10 && !isSentAtOnce(); round += 1) {
    const [began, before] = [performance.now(), site.primary.requests.length];
    const reply = site.edge.http1().ask(START, { method: 'POST' });
    await until(() => site.primary.requests.slice(before).some(({ kind }) => kind === 'upload'));
    waits.push(performance.now() - began);
    t.equal((await reply).status, 202);
    t.ok((await reply).headersAfter > 500, 'it is answered when the canary has been read');
  }
  t.ok(isSentAtOnce(), `sent after ${waits.map(Math.round)} ms`);
});

t.test('storage that is gone since: the upload is refused', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: { interval: '1h', fastInterval: '1h' } } });
  await site.primary.faults.on('storageGone');
  const reply = await site.edge.http1().ask(START, { method: 'POST' });
  t.equal(reply.status, 403);
  t.equal(codeOf(reply), 'DENIED');
});
