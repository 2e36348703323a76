import { Counter, Histogram, Registry } from 'prom-client';
import { BACKGROUND_TASKS, type BackgroundTask } from '../../http/background.ts';
import type { Observer, RequestRecord, SpliceRecord } from '../../proxy/request-record.ts';
import { NONE } from './cells.ts';

const SPLICE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10];
const TOKEN_RESULTS = ['granted', 'remembered', 'break-glass', 'refused', 'limited', 'unavailable', 'invalid'];
const TOKEN_BY_STATUS: Record<number, string> = { 200: 'granted', 401: 'refused', 429: 'limited', 503: 'unavailable' };
const HINT_KINDS = ['push', 'delete'] as const;

/** Counts what few requests meet: splices, verified digests, tags of a fallback, requests for tokens, and hints. */
export class EventMetrics implements Observer {
  readonly #registry = new Registry();
  readonly #splices = this.#counter(
    'splices_total',
    'Blob downloads that an upstream (from) broke off, by the upstream that resumed them (to). to="-": none could, and the client got a part.',
    ['from', 'to', 'reason'],
  );
  readonly #spliceSeconds = new Histogram({
    name: 'breakwater_splice_seconds',
    help: 'Seconds from a broken download to the first byte of the upstream that resumed it.',
    buckets: SPLICE_SECONDS,
    registers: [this.#registry],
  });
  readonly #verifications = this.#counter(
    'verifications_total',
    'Blobs whose digest was computed during their transfer. wrong: the upstream sent corrupt bytes. upstream="-": several upstreams sent parts.',
    ['upstream', 'result'],
  );
  readonly #tags = this.#counter(
    'tags_total',
    'Tags answered by another upstream than the push upstream, by what the ledger knew and what was done. A rise of warned: clients may get old images.',
    ['verdict', 'action'],
    [
      ['stale', 'warned'],
      ['stale', 'refused'],
      ['unknown', 'warned'],
    ],
  );
  readonly #tokens = this.#counter(
    'tokens_total',
    'Requests for tokens. remembered: granted as before, because the deciding upstream did not answer. break-glass: granted to a break-glass user. limited: too many wrong passwords. unavailable: could not be decided.',
    ['result'],
    TOKEN_RESULTS.map((result) => [result]),
  );
  readonly #hints = this.#counter(
    'hints_total',
    'Events about replicated images, from pushes through the edge or from hooks. None from a hook while images are pushed: the hook is not set up.',
    ['from', 'kind'],
    ['edge', 'harbor', 'distribution'].flatMap((from) => HINT_KINDS.map((kind) => [from, kind])),
  );
  readonly #backgroundErrors = this.#counter(
    'background_errors_total',
    'Exceptions of what the edge does by itself. The task is tried again; each one is a bug, and is in the log.',
    ['task'],
    BACKGROUND_TASKS.map((task) => [task]),
  );

  /** Counts an exception of background work. */
  backgroundError(task: BackgroundTask): void {
    this.#backgroundErrors.inc({ task });
  }

  record(request: RequestRecord): void {
    const { grant, hints, kind, splices, status, tag, verified } = request;
    for (const splice of splices) this.#splice(splice);
    if (verified) this.#verifications.inc({ upstream: senderOf(request), result: verified });
    if (tag) this.#tags.inc({ verdict: tag.verdict, action: tag.action });
    if (kind === 'token') this.#tokens.inc({ result: grant ?? TOKEN_BY_STATUS[status] ?? 'invalid' });
    if (hints) for (const one of HINT_KINDS) this.#hints.inc({ from: hints.from, kind: one }, hints[one]);
  }

  /** All metrics in the exposition format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #splice({ from, to = NONE, reason, ms }: SpliceRecord): void {
    this.#splices.inc({ from, to, reason });
    if (to !== NONE) this.#spliceSeconds.observe(ms / 1000);
  }

  /** @param known series that exist from the start, because Prometheus does not see an increase from nothing to 1 */
  #counter(name: string, help: string, labelNames: string[], known: readonly string[][] = []): Counter {
    const counter = new Counter({ name: `breakwater_${name}`, help, labelNames, registers: [this.#registry] });
    for (const labels of known) counter.labels(...labels).inc(0);
    return counter;
  }
}

/** `-` if several upstreams sent parts of the blob. */
function senderOf({ upstream = NONE, splices }: RequestRecord): string {
  return splices.some(({ from, to }) => to !== undefined && to !== from) ? NONE : upstream;
}
