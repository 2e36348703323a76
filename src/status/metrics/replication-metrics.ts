import type { Registry } from 'prom-client';
import type { ReplicationView } from '../../replication/replication-view.ts';
import { addCounts, addMetrics } from './add-metrics.ts';
import { routeLabel } from './cells.ts';

const IDLE = { active: null, graceSeconds: null, queue: {}, copies: {}, bytes: 0, routes: [] };

/** Adds coverage and copies. An edge that does not copy does not know the coverage. @param replication null where no route replicates */
export function addReplicationMetrics(registry: Registry, replication: ReplicationView | null): void {
  const { active, graceSeconds, queue, copies, bytes, routes } = replication ?? IDLE;
  addMetrics(registry, [], [[[], undefined]], {
    replication_active: [
      '1 if this edge copies images, 0 if another edge does. Missing where no route replicates.',
      () => (active === null ? null : Number(active)),
    ],
    coverage_grace_seconds: [
      'Age above which breakwater_coverage_unknown_seconds is a finding, from replication.watch. Missing where no route replicates.',
      () => graceSeconds,
    ],
    replication_bytes_total: ['Bytes of copied blobs.', () => bytes],
  });
  const queueHelp = 'Copies that are waiting, running, or failed and waiting for a retry.';
  addCounts(registry, 'state', 'replication_queue', queueHelp, { ...queue });
  addCounts(registry, 'result', 'replication_copies_total', 'Copies by result.', { ...copies });
  const byRoute = (active ? routes : []).map((route) => {
    // Two routes may have the same prefix in different registries.
    const { prefix, registry: of, target } = route;
    return [[of === undefined ? routeLabel(prefix) : `${of}/${prefix}`, target], route] as const;
  });
  addMetrics(registry, ['route', 'target'], byRoute, {
    coverage_ratio: [
      'Share of tags, 0 to 1, that could be pulled with the right digest if the push upstream died now.',
      ({ coverage: { ratio, comparedAt } }) => (comparedAt === null ? null : ratio),
    ],
    coverage_unknown: [
      'Tags that changed on the push upstream, and were neither copied nor compared since.',
      ({ coverage: { unknown } }) => unknown,
    ],
    coverage_unknown_seconds: [
      'Age of the oldest tag of breakwater_coverage_unknown; 0 if there is none.',
      ({ coverage: { unknownSeconds } }) => unknownSeconds ?? 0,
    ],
    replication_lag_seconds: ['Age of the oldest gap; 0 if there is none.', ({ lagSeconds }) => lagSeconds],
    replication_failures: ['Images that failed to be copied and are retried.', ({ failing }) => failing],
    replication_waiting: [
      'Tags of the fallback that may be newer than on the push upstream, and wait for the operator.',
      ({ waiting }) => waiting,
    ],
    replication_compared_seconds: [
      'Unix time at which the last complete comparison began.',
      ({ coverage: { comparedAt } }) => (comparedAt === null ? null : Date.parse(comparedAt) / 1000),
    ],
    replication_overdue: [
      '1 if the last complete comparison ended more than two times replication.every ago, or none has ended in that time since the start.',
      ({ coverage: { overdue } }) => Number(overdue),
    ],
  });
  const gaps = byRoute.flatMap(([labels, { coverage }]) =>
    (['missing', 'stale'] as const).map((state) => [[...labels, state], coverage[state]] as const),
  );
  addMetrics(registry, ['route', 'target', 'state'], gaps, {
    coverage_gaps: [
      'Tags that could not be pulled with the right digest if the push upstream died now.',
      (count) => count,
    ],
  });
}
