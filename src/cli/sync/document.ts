import type { SyncEvent } from '../../replication/sync/sync-event.ts';
import { isComplete, type SyncReport } from './report.ts';
import type { SyncTally } from './tally.ts';

/** A tag in the output of `--json`; `tag` is null for a failure of the whole repository. */
export interface SyncEntry {
  /** Repository on the source, and on the target in `to`. */
  from: string;
  to: string;
  tag: string | null;
  outcome: 'copied' | 'would-copy' | 'kept' | 'undecided' | 'failed';
  digest?: string;
  /** Bytes of the blobs that were sent. */
  bytes?: number;
  reason?: string;
}

/** The summary in the output of `--json`. */
export type SyncSummary = ReturnType<typeof summaryOf>;

const BEGIN = '{"tags":[';

/** Writes one JSON document, `{"tags":[…],"summary":{…}}`. Each tag is written at once, so that no list of all tags is kept in memory. */
export class SyncDocument {
  readonly #write: (text: string) => void;
  readonly #dryRun: boolean;
  #entries = 0;

  constructor(write: (text: string) => void, dryRun: boolean) {
    this.#write = write;
    this.#dryRun = dryRun;
  }

  addEvent(event: SyncEvent): void {
    const entry = entryOf(event, this.#dryRun);
    if (!entry) return;
    this.#write(`${this.#entries === 0 ? BEGIN : ','}\n${JSON.stringify(entry)}`);
    this.#entries += 1;
  }

  end(tally: SyncTally, report: SyncReport): void {
    const summary = JSON.stringify(summaryOf(tally, report), null, 2);
    this.#write(`${this.#entries === 0 ? BEGIN : ''}\n],\n"summary":${summary}}\n`);
  }
}

function summaryOf(tally: SyncTally, report: SyncReport) {
  // With `dryRun`, `left` are the images that would be copied; else the images that were not copied before the end.
  const { repositories, same, copied, left, kept, undecided, surplus, failed, uploaded, blobs, failures } = tally;
  const { from, to, dryRun, end, ms, notes } = report;
  return {
    ...{ from, to, dryRun, end, complete: isComplete(tally, report), seconds: Math.round(ms) / 1000 },
    ...{ repositories, same, copied, left, kept, undecided, surplus, failed, bytes: uploaded, blobs },
    // Failures that concern no single repository.
    reasons: failures.filter(({ repository }) => repository === undefined).map(({ reason }) => reason),
    notes,
  };
}

function entryOf(event: SyncEvent, dryRun: boolean): SyncEntry | undefined {
  if (event.kind === 'failed') {
    const { repository, image, reason } = event;
    return { from: repository.source, to: repository.target, tag: image?.tag ?? null, outcome: 'failed', reason };
  }
  const isShown = event.kind === 'copied' || event.kind === 'kept' || event.kind === 'undecided';
  if (!isShown && !(event.kind === 'planned' && dryRun)) return undefined;
  const { repository, tag } = event.image;
  const at = { from: repository.source, to: repository.target, tag };
  if (event.kind === 'planned') return { ...at, outcome: 'would-copy' };
  if (event.kind === 'kept' || event.kind === 'undecided')
    return { ...at, outcome: event.kind, ...(event.reason === undefined ? {} : { reason: event.reason }) };
  const { digest, bytes } = event.result;
  return { ...at, outcome: 'copied', ...(digest === undefined ? {} : { digest }), bytes };
}
