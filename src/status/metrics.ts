import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Observer, RequestRecord } from '../proxy/record.ts';
import { failoverOf } from './failover.ts';
import type { Snapshot } from './snapshot.ts';
import { type ClientSide, StateGauges } from './state-gauges.ts';

export interface MetricsSources {
  /** Read at each scrape. */
  snapshot: () => Snapshot;
  /** When certificates end, in epoch milliseconds. */
  certificates: () => { file: string; expiresAt: number }[];
  /** The listener's side of things. */
  clients?: () => ClientSide;
}

/** Stands where a label has nothing to say; no prefix and no upstream can be named so. */
const NONE = '-';

const FIRST_BYTE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

/**
 * Prometheus metrics, in a registry of their own. Labels come from the configuration (prefixes, upstreams, URLs, files) and from fixed
 * lists (kinds, outcomes, reasons, statuses): never from what clients ask for.
 */
export class Metrics implements Observer {
  readonly #sources: MetricsSources;
  readonly #registry = new Registry();
  readonly #gauges = new StateGauges();
  readonly #requests = this.#counter('requests_total', 'Client requests that ended.', [
    'route',
    'kind',
    'upstream',
    'outcome',
    'code',
  ]);
  readonly #attempts = this.#counter('attempts_total', 'Requests to upstreams that ended.', [
    'upstream',
    'class',
    'outcome',
    'reason',
  ]);
  readonly #failovers = this.#counter(
    'failovers_total',
    'Client requests that another upstream than the preferred one answered.',
    ['route', 'from', 'to', 'reason'],
  );
  readonly #bytes = this.#counter('bytes_total', 'Bytes of bodies, in from clients or out to them.', [
    'direction',
    'upstream',
  ]);
  readonly #duration = this.#histogram(
    'request_duration_seconds',
    'From the first byte of a request to the last of its reply.',
    DURATION_BUCKETS,
  );
  readonly #firstByte = this.#histogram(
    'first_byte_seconds',
    'From the first byte of a request to the first of its reply.',
    FIRST_BYTE_BUCKETS,
  );

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Content type of `text()`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  record(request: RequestRecord): void {
    const { kind, outcome } = request;
    const upstream = request.upstream ?? NONE;
    const route = routeLabel(request.route);
    this.#requests.inc({ route, kind, upstream, outcome, code: String(request.status) });
    this.#duration.observe({ kind, outcome }, request.totalMs / 1000);
    this.#firstByte.observe({ kind, outcome }, request.firstByteMs / 1000);
    this.#bytes.inc({ direction: 'in', upstream }, request.bytesIn);
    this.#bytes.inc({ direction: 'out', upstream }, request.bytesOut);
    for (const attempt of request.coalesced ? [] : request.attempts) {
      const { outcome: result, reason = NONE } = attempt;
      this.#attempts.inc({ upstream: attempt.upstream, class: attempt.class, outcome: result, reason });
    }
    const failover = failoverOf(request);
    if (failover) this.#failovers.inc({ route, from: failover.from, to: failover.to, reason: failover.reason });
  }

  /** All metrics in the exposition format, the state of upstreams taken now. */
  async text(): Promise<string> {
    const { snapshot, certificates, clients } = this.#sources;
    const gauges = await this.#gauges.text({
      snapshot: snapshot(),
      certificates: certificates(),
      clients: clients?.(),
    });
    return gauges + (await this.#registry.metrics());
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name: `breakwater_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram<'kind' | 'outcome'> {
    return new Histogram({
      name: `breakwater_${name}`,
      help,
      labelNames: ['kind', 'outcome'],
      buckets,
      registers: [this.#registry],
    });
  }
}

/** Prometheus takes an empty label for none at all, so the route of everything is a star. */
function routeLabel(prefix: string | undefined): string {
  if (prefix === undefined) return NONE;
  return prefix === '' ? '*' : prefix;
}
