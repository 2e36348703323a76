import type { SyncEvent } from '../../replication/sync/sync-event.ts';
import { isComplete, type SyncReport } from './report.ts';
import type { SyncTally } from './tally.ts';

/** What `--json` says of one tag; `tag` null: of a whole repository. */
export interface SyncEntry {
  /** On either side. */
  from: string;
  to: string;
  tag: string | null;
  outcome: 'copied' | 'would-copy' | 'kept' | 'failed';
  digest?: string;
  /** Of blobs that were sent. */
  bytes?: number;
  reason?: string;
}

/** Everything of it but `tags`. */
export interface SyncSummary {
  from: string;
  to: string;
  dryRun: boolean;
  end: SyncReport['end'];
  /** Whether the exit status is 0. */
  complete: boolean;
  seconds: number;
  repositories: number;
  same: number;
  copied: number;
  /** With `dryRun`: how many would be copied; else those that were not come to. */
  left: number;
  kept: number;
  surplus: number;
  failed: number;
  bytes: number;
  blobs: { uploaded: number; mounted: number; there: number };
  /** Why it could not go on, where that is not about a single repository. */
  reasons: string[];
  /** What else should be known. */
  notes: string[];
}

const BEGIN = '{"tags":[';

/** One JSON document, written while it happens: `{"tags":[…],"summary":{…}}`, a line a tag; so that no list of all tags is kept. */
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
    const { repositories, same, copied, left, kept, surplus, failed, uploaded, blobs, failures } = tally;
    const { from, to, dryRun, end, ms, notes } = report;
    const summary: SyncSummary = {
      ...{ from, to, dryRun, end, complete: isComplete(tally, report), seconds: Math.round(ms) / 1000 },
      ...{ repositories, same, copied, left, kept, surplus, failed, bytes: uploaded, blobs },
      reasons: failures.filter(({ repository }) => repository === undefined).map(({ reason }) => reason),
      notes,
    };
    this.#write(`${this.#entries === 0 ? BEGIN : ''}\n],\n"summary":${JSON.stringify(summary, null, 2)}}\n`);
  }
}

function entryOf(event: SyncEvent, dryRun: boolean): SyncEntry | undefined {
  if (event.kind === 'failed') {
    const { repository, image, reason } = event;
    return { from: repository.source, to: repository.target, tag: image?.tag ?? null, outcome: 'failed', reason };
  }
  if (event.kind !== 'copied' && event.kind !== 'kept' && !(event.kind === 'planned' && dryRun)) return undefined;
  const { repository, tag } = event.image;
  const at = { from: repository.source, to: repository.target, tag };
  if (event.kind === 'planned') return { ...at, outcome: 'would-copy' };
  if (event.kind === 'kept') return { ...at, outcome: 'kept' };
  const { digest, bytes } = event.result;
  return { ...at, outcome: 'copied', ...(digest === undefined ? {} : { digest }), bytes };
}
