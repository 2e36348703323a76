import { Counter, Gauge, Registry } from 'prom-client';
import type { CopyRouteView, ReplicationView } from '../../replication/replication-view.ts';
import { routeLabel } from './cells.ts';

const BY_ROUTE = ['route', 'target'];

/** Coverage and copies at the moment of a scrape. An unknown value has no series. */
export class ReplicationGauges {
  readonly #registry = new Registry();
  readonly #active = this.#gauge('replication_active', '1 if this edge copies images, 0 if another edge does.', []);
  readonly #ratio = this.#gauge(
    'coverage_ratio',
    'Share of tags, 0 to 1, that could be pulled with the right digest if the push upstream died now.',
    BY_ROUTE,
  );
  readonly #gaps = this.#gauge(
    'coverage_gaps',
    'Tags that could not be pulled with the right digest if the push upstream died now.',
    [...BY_ROUTE, 'state'],
  );
  readonly #lag = this.#gauge('replication_lag_seconds', 'Age of the oldest gap; 0 if there is none.', BY_ROUTE);
  readonly #failures = this.#gauge(
    'replication_failures',
    'Images that failed to be copied and are retried.',
    BY_ROUTE,
  );
  readonly #compared = this.#gauge(
    'replication_compared_seconds',
    'Unix time at which the last complete comparison began.',
    BY_ROUTE,
  );
  readonly #queue = this.#gauge(
    'replication_queue',
    'Copies that are waiting, running, or failed and waiting for a retry.',
    ['state'],
  );
  readonly #copies = this.#counter('replication_copies_total', 'Copies by result.', ['result']);
  readonly #bytes = this.#counter('replication_bytes_total', 'Bytes of copied blobs.', []);

  /** All series in the exposition format. @param replication null where no route replicates */
  text(replication: ReplicationView | null | undefined): Promise<string> {
    // Series of routes that a reload removed must vanish.
    this.#registry.resetMetrics();
    if (replication) this.#update(replication);
    return this.#registry.metrics();
  }

  #update({ active, queue, copies, bytes, routes }: ReplicationView): void {
    this.#active.set({}, active ? 1 : 0);
    for (const [state, count] of Object.entries(queue)) this.#queue.set({ state }, count);
    for (const [result, count] of Object.entries(copies)) this.#copies.inc({ result }, count);
    this.#bytes.inc({}, bytes);
    if (active) for (const route of routes) this.#updateRoute(route);
  }

  #updateRoute({ prefix, registry, target, coverage, lagSeconds, failing }: CopyRouteView): void {
    const { ratio, missing, stale, comparedAt } = coverage;
    // Two routes may have the same prefix in different registries.
    const labels = { route: registry === undefined ? routeLabel(prefix) : `${registry}/${prefix}`, target };
    if (ratio !== null && comparedAt !== null) this.#ratio.set(labels, ratio);
    this.#gaps.set({ ...labels, state: 'missing' }, missing);
    this.#gaps.set({ ...labels, state: 'stale' }, stale);
    this.#lag.set(labels, lagSeconds);
    this.#failures.set(labels, failing);
    if (comparedAt !== null) this.#compared.set(labels, Date.parse(comparedAt) / 1000);
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name: `breakwater_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `breakwater_${name}`, help, labelNames, registers: [this.#registry] });
  }
}
