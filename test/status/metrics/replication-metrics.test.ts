import t from 'tap';
import { Metrics } from '../../../src/status/metrics/metrics.ts';
import { copyRouteView, replicationView } from '../../replication/made-view.ts';
import { CLIENTS, NOW, snapshotOf } from '../snapshot/views.ts';

const FOUND = {
  repository: 'library/app',
  tags: 120,
  missing: Array.from({ length: 30 }, (_, number) => `tag${number}`),
  stale: ['latest'],
};
const reconcile = { at: '2026-11-21T03:30:00.000Z', tookMs: 5, repositories: 0, tags: 0, gaps: 0, unconfirmed: 0 };
const failed = { ...reconcile, failed: 'gcr answers 503', failingSince: '2026-11-21T03:29:00.000Z' };
const EMPTY = copyRouteView([], { prefix: '', target: 'quay', reconcile: null }, NOW);
const VIEW = replicationView(
  [
    copyRouteView([FOUND], { registry: 'docker.io', lagSeconds: 90, failing: 3, reconcile: failed }, NOW),
    { ...EMPTY, coverage: { ...EMPTY.coverage, comparedAt: null, overdue: true } },
  ],
  {
    bytes: 5_000_000,
    queue: { waiting: 4, running: 2, failed: 3 },
    copies: { copied: 9, same: 8, absent: 7, deleted: 6, failed: 5 },
  },
);

async function samples(replication: typeof VIEW | undefined): Promise<string[]> {
  const metrics = new Metrics({
    snapshot: () => snapshotOf({ replication }),
    certificates: () => [],
    clients: () => CLIENTS,
    droppedLogLines: () => 0,
  });
  return (await metrics.text()).split('\n').filter((line) => /^breakwater_(coverage|replication)/.test(line));
}

t.test('metrics; what is not known has no series', async (t) => {
  const lines = await samples(VIEW);
  t.strictSame(
    lines.filter((line) => line.includes('route=')),
    [
      'breakwater_coverage_ratio{route="docker.io/library/",target="gcr"} 0.7416666666666667',
      'breakwater_coverage_unknown{route="docker.io/library/",target="gcr"} 0',
      'breakwater_coverage_unknown{route="*",target="quay"} 0',
      'breakwater_coverage_unknown_seconds{route="docker.io/library/",target="gcr"} 0',
      'breakwater_coverage_unknown_seconds{route="*",target="quay"} 0',
      'breakwater_replication_lag_seconds{route="docker.io/library/",target="gcr"} 90',
      'breakwater_replication_lag_seconds{route="*",target="quay"} 0',
      'breakwater_replication_failures{route="docker.io/library/",target="gcr"} 3',
      'breakwater_replication_failures{route="*",target="quay"} 0',
      'breakwater_replication_waiting{route="docker.io/library/",target="gcr"} 0',
      'breakwater_replication_waiting{route="*",target="quay"} 0',
      `breakwater_replication_compared_seconds{route="docker.io/library/",target="gcr"} ${NOW / 1000}`,
      'breakwater_replication_overdue{route="docker.io/library/",target="gcr"} 0',
      'breakwater_replication_overdue{route="*",target="quay"} 1',
      'breakwater_coverage_gaps{route="docker.io/library/",target="gcr",state="missing"} 30',
      'breakwater_coverage_gaps{route="docker.io/library/",target="gcr",state="stale"} 1',
      'breakwater_coverage_gaps{route="*",target="quay",state="missing"} 0',
      'breakwater_coverage_gaps{route="*",target="quay",state="stale"} 0',
    ],
  );
  t.ok(lines.includes('breakwater_replication_active 1'));
  t.ok(lines.includes('breakwater_replication_queue{state="running"} 2'));
  t.ok(lines.includes('breakwater_replication_copies_total{result="absent"} 7'));
  t.ok(lines.includes('breakwater_replication_bytes_total 5000000'));
});

t.test('an edge that rests counts, and tells of no route', async (t) => {
  for (const replication of [{ ...VIEW, active: false }, undefined]) {
    const lines = await samples(replication);
    // A site that does not replicate must not look like one in which no edge copies.
    t.equal(lines.includes('breakwater_replication_active 0'), replication !== undefined);
    t.equal(lines.includes('breakwater_coverage_grace_seconds 300'), replication !== undefined);
    t.strictSame(
      lines.filter((line) => line.includes('route=')),
      [],
    );
  }
});
