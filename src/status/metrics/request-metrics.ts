import type { Registry } from 'prom-client';
import type { AttemptRecord, Observer, RequestRecord } from '../../proxy/request-record.ts';
import { failoverOf } from '../failover.ts';
import { addCounts, addMetrics } from './add-metrics.ts';
import { Cells, NONE, routeLabel } from './cells.ts';
import { TimeHistogram, type Times } from './time-histogram.ts';

const FIRST_BYTE_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
const DURATION_MS = [
  5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000,
];

interface Counted {
  count: number;
}

interface RequestCell extends Counted {
  bytes: { in: number; out: number };
  duration: Times;
  firstByte: Times;
}

const newCount = (): Counted => ({ count: 0 });

/** Counts every request. This runs on the hot path, so each count is an addition to a cell that was looked up once. */
export class RequestMetrics implements Observer {
  readonly #duration = new TimeHistogram(
    'request_duration_seconds',
    'Seconds from the first byte of a client request to the last byte of its reply.',
    DURATION_MS,
  );
  readonly #firstByte = new TimeHistogram(
    'first_byte_seconds',
    'Seconds from the first byte of a client request to the first byte of its reply.',
    FIRST_BYTE_MS,
  );
  readonly #bytes = new Cells(() => ({ in: 0, out: 0 }));
  readonly #requests = new Cells<RequestCell>(([, kind = NONE, upstream = NONE, outcome = NONE]) => ({
    count: 0,
    bytes: this.#bytes.at(upstream),
    duration: this.#duration.of(kind, outcome),
    firstByte: this.#firstByte.of(kind, outcome),
  }));
  readonly #attempts = new Cells(newCount);
  readonly #failovers = new Cells(newCount);
  readonly #manifests = { upstream: 0, memory: 0, coalesced: 0 };

  record(request: RequestRecord): void {
    const route = routeLabel(request.route);
    const { kind, outcome, upstream = NONE } = request;
    const cell = this.#requests.at(route, kind, upstream, outcome, String(request.status));
    cell.count += 1;
    cell.duration.add(request.totalMs);
    cell.firstByte.add(request.firstByteMs);
    cell.bytes.in += request.bytesIn;
    cell.bytes.out += request.bytesOut;
    // The attempts of coalesced requests are counted once, by the request that sent them.
    if (!request.coalesced) for (const attempt of request.attempts) this.#attempt(attempt);
    const failover = failoverOf(request);
    if (failover) this.#failovers.at(route, failover.from, failover.to, failover.reason).count += 1;
    if (kind === 'manifest') this.#manifest(request);
  }

  /** Adds the counters to the registry of a scrape. */
  addTo(registry: Registry): void {
    const count = ({ count }: Counted) => count;
    addMetrics(registry, ['route', 'kind', 'upstream', 'outcome', 'code'], this.#requests, {
      requests_total: ['Finished client requests. outcome="failed": no upstream could serve.', count],
    });
    addMetrics(registry, ['upstream', 'class', 'outcome', 'reason'], this.#attempts, {
      attempts_total: ['Finished requests to upstreams. Coalesced client requests share one.', count],
    });
    addMetrics(registry, ['route', 'from', 'to', 'reason'], this.#failovers, {
      failovers_total: ["Client requests that another upstream than the route's first one answered.", count],
    });
    const bytes = [...this.#bytes].flatMap(([labels, cell]) =>
      (['in', 'out'] as const).map((direction) => [[direction, ...labels], cell[direction]] as const),
    );
    addMetrics(registry, ['direction', 'upstream'], bytes, {
      bytes_total: ['Bytes of bodies: in from clients, out to clients.', (sum) => sum],
    });
    const manifests = 'Manifests read: from an upstream, from memory, or coalesced with an equal read in flight.';
    addCounts(registry, 'source', 'manifests_total', manifests, this.#manifests);
  }

  /** The histograms in the exposition format. They belong to no registry of prom-client. */
  histograms(): string {
    return `${this.#duration.text()}\n${this.#firstByte.text()}`;
  }

  #attempt({ upstream, class: trafficClass, outcome, reason, reads = 1 }: AttemptRecord): void {
    this.#attempts.at(upstream, trafficClass, outcome, reason ?? NONE).count += reads;
  }

  #manifest({ method, outcome, memory, coalesced }: RequestRecord): void {
    const isRead = method === 'GET' || method === 'HEAD';
    if (!isRead || (outcome !== 'served' && outcome !== 'fallback')) return;
    this.#manifests[memory ? 'memory' : coalesced ? 'coalesced' : 'upstream'] += 1;
  }
}
