import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Observer, RequestRecord } from '../../proxy/request-record.ts';
import type { Snapshot, Stores } from '../snapshot/snapshot.ts';
import { AccessMetrics } from './access-metrics.ts';
import { HintMetrics } from './hint-metrics.ts';
import { PullMetrics } from './pull-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import { type ClientSide, StateGauges } from './state-gauges.ts';

export interface MetricsSources {
  /** Called at each scrape. */
  snapshot: () => Snapshot;
  /** `expiresAt` in epoch milliseconds. */
  certificates: () => { file: string; expiresAt: number }[];
  /** Undefined before the listener starts. */
  clients?: () => ClientSide;
  stores?: () => Stores;
}

/**
 * Prometheus metrics, in a registry of their own. Values of labels come from the configuration (prefixes, upstreams, URLs, files) and from
 * fixed lists (kinds, outcomes, reasons, statuses). They never come from a client's request, which would make endless series.
 */
export class Metrics implements Observer {
  readonly #sources: MetricsSources;
  readonly #registry = new Registry();
  readonly #requests = new RequestMetrics(this.#registry);
  readonly #pulls = new PullMetrics(this.#registry);
  readonly #access = new AccessMetrics(this.#registry);
  readonly #hints = new HintMetrics(this.#registry);
  readonly #gauges = new StateGauges();

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Content type of `text()`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  record(request: RequestRecord): void {
    this.#requests.record(request);
    this.#pulls.record(request);
    this.#access.record(request);
    this.#hints.record(request);
  }

  /** All metrics in the exposition format. */
  async text(): Promise<string> {
    const { snapshot, certificates, clients, stores } = this.#sources;
    const gauges = await this.#gauges.text({
      snapshot: snapshot(),
      certificates: certificates(),
      clients: clients?.(),
      stores: stores?.(),
    });
    return [gauges, this.#requests.text(), await this.#registry.metrics()].join('\n');
  }
}
