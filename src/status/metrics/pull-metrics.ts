import { Counter, Histogram, type Registry } from 'prom-client';
import type { Observer, RequestRecord, SpliceRecord } from '../../proxy/request-record.ts';
import { cellCounter, NONE } from './cells.ts';

const SPLICE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10];

/** Counts hedges, splices, verified digests, tags of a fallback, and manifests from memory. */
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
      'Hedged requests: sent to the next upstream because the first was slow. started, won (the later one answered first), refused (over budget: the first upstream is slow for every client).',
      ['result'],
      fixed(this.#hedges),
    );
    cellCounter(
      registry,
      'manifests_total',
      'Manifests read: from an upstream, from memory, or coalesced with an equal read in flight.',
      ['source'],
      fixed(this.#manifests),
    );
    this.#splices = new Counter({
      name: 'breakwater_splices_total',
      help: 'Blob downloads that an upstream (from) broke off, by the upstream that resumed them (to). to="-": none could, and the client got a part.',
      labelNames: ['from', 'to', 'reason'],
      registers,
    });
    this.#spliceSeconds = new Histogram({
      name: 'breakwater_splice_seconds',
      help: 'Seconds from a broken download to the first byte of the upstream that resumed it.',
      buckets: SPLICE_SECONDS,
      registers,
    });
    this.#verifications = new Counter({
      name: 'breakwater_verifications_total',
      help: 'Blobs whose digest was computed during their transfer. wrong: the upstream sent corrupt bytes. upstream="-": several upstreams sent parts.',
      labelNames: ['upstream', 'result'],
      registers,
    });
    this.#tags = new Counter({
      name: 'breakwater_tags_total',
      help: 'Tags answered by another upstream than the push upstream, by what the ledger knew and what was done. A rise of warned: clients may get old images.',
      labelNames: ['verdict', 'action'],
      registers,
    });
    // Series that alerts watch exist from the start, because Prometheus does not see an increase from nothing to 1.
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
    if (verified) this.#verifications.inc({ upstream: senderOf(request), result: verified });
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

/** `-` if several upstreams sent parts of the blob. */
function senderOf({ upstream = NONE, splices }: RequestRecord): string {
  return splices.some(({ from, to }) => to !== undefined && to !== from) ? NONE : upstream;
}
