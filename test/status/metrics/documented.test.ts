import { readFileSync } from 'node:fs';
import t from 'tap';
import { Metrics } from '../../../src/status/metrics/metrics.ts';
import { copyRouteView, replicationView } from '../../replication/made-view.ts';
import { peer, pullRecord, replica, sightDifference, snapshotOf, upstream } from '../snapshot/views.ts';

const operations = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
const table = operations.slice(operations.indexOf('## Every metric'), operations.indexOf('## Three in the morning'));

/** The exposition of an edge that has met everything. */
async function exposition(): Promise<string> {
  const tripped = replica({ url: 'https://gcr.lan' });
  const own = { role: 'own' as const, username: 'robot$edge', refusal: undefined, expires: 1 };
  const metrics = new Metrics({
    snapshot: () =>
      snapshotOf({
        upstreams: [
          upstream('harbor'),
          upstream('gcr', {
            replicas: [tripped],
            credentials: { own: true, refusal: undefined, acceptedAt: 1, accounts: [own] },
          }),
        ],
        peers: [peer()],
        vip: { obstacle: undefined, defers: undefined, differences: [sightDifference()] },
        replication: replicationView([
          copyRouteView([{ repository: 'library/app', tags: 2, missing: ['1'], stale: [] }]),
        ]),
      }),
    certificates: () => [{ file: 'tls.crt', expiresAt: 1 }],
    clients: () => ({ load: { connections: 1, exchanges: 1 }, counts: { shed: 1 } }),
    droppedLogLines: () => 0,
  });
  const splices = [{ from: 'harbor', to: 'gcr', reason: 'stall', at: 9, ms: 30 } as const];
  metrics.record(pullRecord({ splices, verified: 'right', tag: { verdict: 'stale', action: 'warned' } }));
  metrics.backgroundError('probe');
  return metrics.text();
}

t.test('docs/operations.md tells of every metric', async (t) => {
  const names = [...(await exposition()).matchAll(/^# TYPE (breakwater_\w+)/gm)].map(([, name = '']) => name);
  t.ok(names.length > 20);
  for (const name of names) t.ok(table.includes(`\`${name}\``), name);
});

t.test('and of the labels that each has', async (t) => {
  const text = await exposition();
  for (const [, first = '', labels = ''] of table.matchAll(/^\| `(breakwater_\w+)`(?:, `\w+`)* \| ([^|]*)\|/gm)) {
    const sample = new RegExp(`^${first}(?:_count)?(?:\\{(.*)\\})? \\S+$`, 'm').exec(text);
    t.ok(sample, `${first} has a sample`);
    const shown = [...(sample?.[1] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label);
    t.same(
      shown,
      labels
        .split(',')
        .map((label) => label.trim())
        .filter(Boolean),
      first,
    );
  }
});
