import t from 'tap';
import { RARE_PROBE } from '../helpers/edge-in-process.ts';
import { startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

const BLOCK_MS = 2000;

t.test('a probe that was late because the event loop was late says nothing', async (t) => {
  const probe = { ...RARE_PROBE, fastInterval: '20ms', timeout: '200ms' };
  const site = await startLabSite(t, { harbor: { probe } });
  const harbor = () => site.edge.app.status().upstreams.find(({ name }) => name === 'harbor');
  // A failure brings the next probe forward.
  await site.primary.faults.on('errors', { kind: 'manifest', times: 1, path: 'library' });
  await site.primary.faults.on('delay', { ms: 100, path: 'canary' });
  const probed = harbor()?.urls[0]?.lastProbeAt;
  const before = site.primary.requests.length;
  await site.edge.http1().ask('/v2/library/app/manifests/1');
  await until(() => site.primary.requests.slice(before).some(({ kind }) => kind === 'ping'));
  const end = performance.now() + BLOCK_MS;
  while (performance.now() < end);
  await until(() => harbor()?.urls[0]?.lastProbeAt !== probed);
  t.match(harbor(), { state: 'up', pushes: { admitted: true } });
  t.ok((harbor()?.urls[0]?.probeMs ?? BLOCK_MS) < BLOCK_MS / 2, `it took ${harbor()?.urls[0]?.probeMs} ms`);
});
