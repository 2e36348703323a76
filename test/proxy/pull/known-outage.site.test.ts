import t from 'tap';
import { INNER, startLabSite } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

const DIGEST = `sha256:${'b'.repeat(64)}`;
const WORDS =
  /^gcr does not have .*; harbor, which may, has been down since \d\d:\d\d UTC \(the probe timed out\); try again \(request \w+\)$/;

t.test('an upstream that hangs, and is known to be down, costs no whole deadline', async (t) => {
  for (const fault of ['frozen', 'storageHung'] as const) {
    // With these, an attempt takes all of the 9.5 s that a pull has.
    const deadlines = { manifest: '1m', blob: '1m' };
    const site = await startLabSite(t, { harbor: { deadlines } });
    site.primary.seed(`${INNER}library/late`, '1', { blobs: [100] });
    await site.primary.faults.on(fault);
    await site.edge.upstream('harbor', 'down');
    const ask = async (path: string) => {
      const began = performance.now();
      const reply = await site.edge.http1().ask(`/v2/library/${path}`);
      t.ok(performance.now() - began < timeLimit(5000), `${fault}: ${path}`);
      t.equal(reply.status, 503);
      t.match(JSON.parse(reply.body.toString()).errors[0].message, WORDS);
    };
    await Promise.all(
      ['late/manifests/1', `late/manifests/${DIGEST}`, `late/blobs/${DIGEST}`, 'late/tags/list'].map(ask),
    );
  }
});

t.test('an upstream that is down by its probes alone serves what the others lack', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: { canary: 'missing:latest' } } });
  await site.edge.upstream('harbor', 'down');
  site.primary.seed(`${INNER}library/late`, '1', { blobs: [100] });
  await site.primary.faults.on('delay', { ms: 300, path: /late/ });
  const reply = await site.edge.http1().ask('/v2/library/late/manifests/1');
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
  const line = await site.edge.line(({ kind, outcome }) => kind === 'manifest' && outcome === 'served');
  t.match(line.attempts, [
    { upstream: 'gcr', outcome: 'absent' },
    { upstream: 'harbor', outcome: 'served' },
  ]);
});
