import t from 'tap';
import { type EdgeInProcess, PROBE, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

const KEY = Buffer.from('a secret that both edges of the site have in a file');

/** Waits until the check for keepalived answers so. */
async function vip(edge: EdgeInProcess, status: number): Promise<string> {
  let answer = { status: 0, body: '' };
  await until(
    async () => {
      answer = await edge.admin('/vipz');
      return answer.status === status;
    },
    { what: () => `${status} instead of ${JSON.stringify(answer)}, ${JSON.stringify(edge.app.status().peers)}` },
  );
  return answer.body;
}

t.test('the edge that alone lost its way to the primary leaves the VIP to the one that reaches it', async (t) => {
  const site = await startLabSite(t, {
    settings: { key: KEY },
    config: { keyFile: 'x', vip: { deferAfter: '100ms', holdDown: '100ms' } },
  });
  const { edge: first, config } = site;
  const peers = (edge: EdgeInProcess) => [`https://127.0.0.1:${edge.port}`];
  const { certificate } = first;
  const second = await startEdgeInProcess(t, { ...config, peers: peers(first) }, { key: KEY, certificate });
  const well = { ...config, peers: peers(second) };
  // The one way to lose a registry for a single edge of one machine: it looks for a canary that is not there.
  const upstreams = config.upstreams as Record<string, object>;
  const harbor = { ...upstreams.harbor, probe: { ...PROBE, canary: 'no-canary:latest' } };
  const cut = { ...well, upstreams: { ...upstreams, harbor } };
  await first.reload(well);
  await until(() => first.app.status().peers[0]?.state === 'in-step');
  t.match(first.app.status().peers, [{ release: /^\d+\./, clockAheadMs: Number }]);
  t.equal(await vip(first, 200), 'may hold the VIP\n');
  // As its keepalived does: an edge that nobody asks promises nothing.
  t.equal(await vip(second, 200), 'may hold the VIP\n');

  await first.reload(cut);
  await first.upstream('harbor', 'down');
  t.match(await vip(first, 503), /^must not hold the VIP: another edge reaches an upstream/);
  t.equal(await vip(second, 200), 'may hold the VIP\n', 'never both');
  t.match(first.log, /does not reach harbor, and the edge at 127\.0\.0\.1:\d+ does/);
  await second.app.stop();
  t.equal(await vip(first, 200), 'may hold the VIP\n', 'alone, it holds');
  t.match(first.log, /this node may hold the VIP again/);
});
