import t from 'tap';
import { Metrics } from '../../../src/status/metrics/metrics.ts';
import { copyRouteView, replicationView } from '../../replication/made-view.ts';
import { NOW, snapshotOf } from './views.ts';

const names = (count: number) => Array.from({ length: count }, (_, number) => `tag${number}`);
const FOUND = { repository: 'library/app', tags: 120, missing: names(30), stale: ['latest'] };
const failed = { at: NOW, tookMs: 5, repositories: 0, tags: 0, gaps: 0, failed: 'gcr answers 503' };
const VIEW = replicationView(
  [
    copyRouteView(
      [FOUND],
      { registry: 'docker.io', lagMs: 90_400, failing: 3, failingSince: NOW - 60_000, reconcile: failed },
      NOW,
    ),
    copyRouteView([], { prefix: '', target: 'quay', comparedAt: undefined, reconcile: undefined }, NOW),
  ],
  {
    bytes: 5_000_000,
    queue: { waiting: 4, running: 2, failed: 3 },
    copies: { copied: 9, same: 8, absent: 7, deleted: 6, failed: 5 },
  },
);

t.test('tells of each way, within bounds', async (t) => {
  const { replication } = snapshotOf({ replication: VIEW });
  t.match(replication, { active: true, bytes: 5_000_000, copies: { copied: 9 }, queue: { waiting: 4 } });
  t.match(replication?.routes, [
    {
      registry: 'docker.io',
      prefix: 'library/',
      coverage: { tags: 120, missing: 30, stale: 1, comparedAt: '2026-11-21T03:30:00.000Z' },
      lagSeconds: 90,
      reconcile: { failed: 'gcr answers 503', failingSince: '2026-11-21T03:29:00.000Z' },
      gaps: [{ repository: 'library/app', missing: 30, stale: 1, tags: names(5) }],
    },
    { prefix: '', coverage: { ratio: null, comparedAt: null }, reconcile: null, gaps: [], lagSeconds: 0 },
  ]);
  const many = Array.from({ length: 50 }, (_, number) => ({ ...FOUND, repository: `library/app${number}` }));
  const failures = names(50).map((reference) => ({
    repository: 'library/app',
    reference,
    since: 1,
    at: 2,
    tries: 1,
    reason: 'x',
    passing: true,
  }));
  const [route] =
    snapshotOf({ replication: replicationView([copyRouteView(many, { failures })]) }).replication?.routes ?? [];
  t.equal(route?.gaps.length, 20);
  t.equal(route?.failures.length, 20);
  t.equal(snapshotOf().replication, null);
});

async function samples(replication: typeof VIEW | undefined): Promise<string[]> {
  const metrics = new Metrics({ snapshot: () => snapshotOf({ replication }), certificates: () => [] });
  return (await metrics.text()).split('\n').filter((line) => /^breakwater_(coverage|replication)/.test(line));
}

t.test('metrics; what is not known has no series', async (t) => {
  const lines = await samples(VIEW);
  t.strictSame(
    lines.filter((line) => line.includes('route=')),
    [
      'breakwater_coverage_ratio{route="docker.io/library/",target="gcr"} 0.7416666666666667',
      'breakwater_coverage_gaps{route="docker.io/library/",target="gcr",state="missing"} 30',
      'breakwater_coverage_gaps{route="docker.io/library/",target="gcr",state="stale"} 1',
      'breakwater_coverage_gaps{route="*",target="quay",state="missing"} 0',
      'breakwater_coverage_gaps{route="*",target="quay",state="stale"} 0',
      'breakwater_replication_lag_seconds{route="docker.io/library/",target="gcr"} 90',
      'breakwater_replication_lag_seconds{route="*",target="quay"} 0',
      'breakwater_replication_failures{route="docker.io/library/",target="gcr"} 3',
      'breakwater_replication_failures{route="*",target="quay"} 0',
      `breakwater_replication_compared_seconds{route="docker.io/library/",target="gcr"} ${NOW / 1000}`,
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
    t.ok(lines.includes('breakwater_replication_active 0'));
    t.strictSame(
      lines.filter((line) => line.includes('route=')),
      [],
    );
  }
});
