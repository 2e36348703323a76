import { Counter, Histogram, type Registry } from 'prom-client';
import type { Observer, RequestRecord, SpliceRecord } from '../../proxy/request-record.ts';
import { cellCounter } from './cell-counter.ts';
import { NONE } from './label.ts';

const SPLICE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10];

/** What the edge does that a plain proxy does not: hedges, splices, digests, tags, and manifests that no upstream was asked for. */
export class PullMetrics implements Observer {
  readonly #hedges = { started: 0, won: 0, refused: 0 };
  readonly #manifests = { upstream: 0, memory: 0, coalesced: 0 };
  readonly #splices: Counter<'from' | 'to' | 'reason'>;
  readonly #spliceSeconds: Histogram;
  readonly #verifications: Counter<'upstream' | 'result'>;
  readonly #tags: Counter<'verdict' | 'action'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const fixed = (counts: Record<string, number>) => () =>
      Object.entries(counts).map(([label, count]): [string[], number] => [[label], count]);
    cellCounter(
      registry,
      'hedges_total',
      'Upstreams asked beside one that was late: started; won by the one asked later; refused, because the budget was spent.',
      ['result'],
      fixed(this.#hedges),
    );
    cellCounter(
      registry,
      'manifests_total',
      'Reads of manifests that were answered: by asking an upstream, out of memory, or with the answer to an equal read under way.',
      ['source'],
      fixed(this.#manifests),
    );
    this.#splices = new Counter({
      name: 'breakwater_splices_total',
      help: 'Bodies of blobs that an upstream broke off, by who went on with them; "-": nobody, so that the client got a part.',
      labelNames: ['from', 'to', 'reason'],
      registers,
    });
    this.#spliceSeconds = new Histogram({
      name: 'breakwater_splice_seconds',
      help: 'From the trouble with a body to the first byte of who went on with it.',
      buckets: SPLICE_SECONDS,
      registers,
    });
    this.#verifications = new Counter({
      name: 'breakwater_verifications_total',
      help: 'Digests of blobs that were computed beside their transfer; upstream "-": several brought bytes of it.',
      labelNames: ['upstream', 'result'],
      registers,
    });
    this.#tags = new Counter({
      name: 'breakwater_tags_total',
      help: 'Tags that came from another upstream than the one whose word counts, by what the ledger said and what was done.',
      labelNames: ['verdict', 'action'],
      registers,
    });
    // Prometheus does not see a series begin: what is alerted on has to be there before it happens.
    this.#tags.inc({ verdict: 'stale', action: 'warned' }, 0);
    this.#tags.inc({ verdict: 'stale', action: 'refused' }, 0);
    this.#tags.inc({ verdict: 'unknown', action: 'warned' }, 0);
  }

  record(request: RequestRecord): void {
    const { hedges, kind, splices, tag, verified } = request;
    this.#hedges.started += hedges.started;
    this.#hedges.won += hedges.won;
    this.#hedges.refused += hedges.refused;
    if (kind === 'manifest') this.#manifest(request);
    for (const splice of splices) this.#splice(splice);
    if (verified) this.#verifications.inc({ upstream: broughtBy(request), result: verified });
    if (tag) this.#tags.inc({ verdict: tag.verdict, action: tag.action });
  }

  #manifest({ method, outcome, memory, coalesced }: RequestRecord): void {
    const isRead = method === 'GET' || method === 'HEAD';
    if (!isRead || (outcome !== 'served' && outcome !== 'fallback')) return;
    this.#manifests[memory ? 'memory' : coalesced ? 'coalesced' : 'upstream'] += 1;
  }

  #splice({ from, to = NONE, reason, ms }: SpliceRecord): void {
    this.#splices.inc({ from, to, reason });
    if (to !== NONE) this.#spliceSeconds.observe(ms / 1000);
  }
}

function broughtBy({ upstream = NONE, splices }: RequestRecord): string {
  return splices.some(({ from, to }) => to !== undefined && to !== from) ? NONE : upstream;
}
