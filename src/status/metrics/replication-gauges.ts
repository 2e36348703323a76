import { Counter, Gauge, Registry } from 'prom-client';
import type { CopyRouteSnapshot, ReplicationSnapshot } from '../snapshot/replication-snapshot.ts';
import { routeLabel } from './label.ts';

const BY_ROUTE = ['route', 'target'];

/** How well fallbacks are kept in step, at the moment of a scrape. What this edge does not know has no series. */
export class ReplicationGauges {
  readonly #registry = new Registry();
  readonly #active = this.#gauge(
    'replication_active',
    '1 if this edge copies, 0 if it leaves that to another one.',
    [],
  );
  readonly #ratio = this.#gauge(
    'coverage_ratio',
    'Share of tags that could be pulled with the right digest if the push upstream died now.',
    BY_ROUTE,
  );
  readonly #gaps = this.#gauge('coverage_gaps', 'Tags that could not.', [...BY_ROUTE, 'state']);
  readonly #lag = this.#gauge('replication_lag_seconds', 'For how long the oldest gap has been one.', BY_ROUTE);
  readonly #failures = this.#gauge('replication_failures', 'Things that cannot be copied now.', BY_ROUTE);
  readonly #compared = this.#gauge(
    'replication_compared_seconds',
    'Unix time at which the last comparison began that came to its end.',
    BY_ROUTE,
  );
  readonly #queue = this.#gauge(
    'replication_queue',
    'Copies that wait, that run, and that failed and are tried again.',
    ['state'],
  );
  readonly #copies = this.#counter('replication_copies_total', 'Copies that ended, by what came of them.', ['result']);
  readonly #bytes = this.#counter('replication_bytes_total', 'Bytes of blobs that were copied.', []);

  /** In the exposition format. @param replication null: nothing is to be copied */
  text(replication: ReplicationSnapshot | null | undefined): Promise<string> {
    // What a reload took out of the configuration must not linger.
    this.#registry.resetMetrics();
    if (replication) this.#update(replication);
    return this.#registry.metrics();
  }

  #update({ active, queue, copies, bytes, routes }: ReplicationSnapshot): void {
    this.#active.set({}, active ? 1 : 0);
    for (const [state, count] of Object.entries(queue)) this.#queue.set({ state }, count);
    for (const [result, count] of Object.entries(copies)) this.#copies.inc({ result }, count);
    this.#bytes.inc({}, bytes);
    if (active) for (const route of routes) this.#updateRoute(route);
  }

  #updateRoute({ prefix, registry, target, coverage, lagSeconds, failing }: CopyRouteSnapshot): void {
    const { ratio, missing, stale, comparedAt } = coverage;
    // Prefixes are told apart by their registry, where they have one.
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
