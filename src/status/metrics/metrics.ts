import { collectDefaultMetrics, Registry } from 'prom-client';
import type { BackgroundTask } from '../../http/background.ts';
import type { Observer, RequestRecord } from '../../proxy/request-record.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { addEdgeMetrics, addLogMetrics, addSightMetrics, type ClientSide } from './edge-metrics.ts';
import { EventMetrics } from './event-metrics.ts';
import { addReplicationMetrics } from './replication-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import { addUpstreamMetrics } from './upstream-metrics.ts';

/** What is read at each scrape. */
export interface MetricsSources {
  snapshot: () => Snapshot;
  /** `expiresAt` in epoch milliseconds. */
  certificates: () => { file: string; expiresAt: number }[];
  clients: () => ClientSide;
  /** Since the start. */
  droppedLogLines: () => number;
}

/**
 * Prometheus metrics, in registries of their own. Values of labels come from the configuration (prefixes, upstreams, URLs, files) and from
 * fixed lists (kinds, outcomes, reasons, statuses). They never come from a client's request, which would make endless series.
 */
export class Metrics implements Observer {
  readonly #sources: MetricsSources;
  readonly #process = new Registry();
  readonly #requests = new RequestMetrics();
  readonly #events = new EventMetrics();

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#process });
  }

  /** Content type of `text()`. */
  get contentType(): string {
    return this.#process.contentType;
  }

  record(request: RequestRecord): void {
    this.#requests.record(request);
    this.#events.record(request);
  }

  /** Counts an exception of background work. */
  backgroundError(task: BackgroundTask): void {
    this.#events.backgroundError(task);
  }

  /** All metrics in the exposition format. */
  async text(): Promise<string> {
    const { snapshot, certificates, clients, droppedLogLines } = this.#sources;
    const now = snapshot();
    const registry = new Registry();
    addUpstreamMetrics(registry, now.upstreams);
    addReplicationMetrics(registry, now.replication);
    addEdgeMetrics(registry, now, clients(), certificates());
    addSightMetrics(registry, now);
    addLogMetrics(registry, droppedLogLines());
    this.#requests.addTo(registry);
    const parts = [registry.metrics(), this.#requests.histograms(), this.#events.text(), this.#process.metrics()];
    return (await Promise.all(parts)).join('\n');
  }
}
