import type { CopyResult } from '../../replication/copy/copy-job.ts';
import type { SyncEvent, SyncImage } from '../../replication/sync/sync-event.ts';

/** A failure. `tag` is undefined for a whole repository, `repository` for the list of repositories. */
export interface SyncFailure {
  repository: string | undefined;
  tag: string | undefined;
  reason: string;
}

/** Most failures that are kept; further ones are only counted. */
const MAX_FAILURES = 1000;

/** Counts of a sync so far. */
export class SyncTally {
  repositories = 0;
  /** Tags that the target already had. */
  same = 0;
  /** Tags that only the target has. */
  surplus = 0;
  /** Tags to be copied, done or not. */
  planned = 0;
  copied = 0;
  kept = 0;
  /** Tags that were left because it is not known whether they are newer. */
  undecided = 0;
  failed = 0;
  readonly failures: SyncFailure[] = [];
  /** Bytes that were sent or mounted, with those of failed copies. */
  sent = 0;
  /** Bytes of blobs that were sent for complete copies. Blobs that were there already or were mounted do not count. */
  uploaded = 0;
  readonly blobs = { uploaded: 0, mounted: 0, there: 0 };
  /** Images that are being copied, oldest first, with their bytes. */
  readonly inProgress = new Map<SyncImage, { expected: number; sent: number }>();
  /** The repository that was compared last. */
  last = '';
  /** Images that are still to be copied. */
  left = 0;
  /** Repositories to compare, and whether the list is complete. */
  readonly offered = { count: 0, all: false };
  #uncompared = 0;

  /** Images that were copied or failed. */
  get done(): number {
    return this.planned - this.left;
  }

  /** Whether all repositories were compared, so that `planned` is final. */
  get listed(): boolean {
    return this.offered.all && this.repositories + this.#uncompared >= this.offered.count;
  }

  addEvent(event: SyncEvent): void {
    if (event.kind === 'compared') {
      this.repositories += 1;
      this.same += event.same;
      this.surplus += event.surplus;
      this.last = event.repository.source;
    } else if (event.kind === 'planned') {
      this.planned += 1;
      this.left += 1;
    } else if (event.kind === 'began') this.inProgress.set(event.image, { expected: 0, sent: 0 });
    else if (event.kind === 'undecided') this.undecided += 1;
    else if (event.kind === 'expected' || event.kind === 'sent') this.#count(event);
    else this.#end(event);
  }

  /** Records a failure; without a repository it concerns the whole sync. */
  fail(reason: string, repository?: string, tag?: string): void {
    this.failed += 1;
    if (this.failures.length < MAX_FAILURES) this.failures.push({ repository, tag, reason });
  }

  #count({ kind, image, bytes }: Extract<SyncEvent, { bytes: number }>): void {
    const counts = this.inProgress.get(image);
    if (counts) counts[kind] += bytes;
    if (kind === 'sent') this.sent += bytes;
  }

  #end(event: Extract<SyncEvent, { kind: 'copied' | 'kept' | 'failed' }>): void {
    const { image, kind } = event;
    // An image that is kept at the comparison was never planned.
    const planned = image !== undefined && this.inProgress.delete(image);
    if (planned) this.left -= 1;
    if (kind === 'copied') this.#copied(event.result);
    else if (kind === 'failed') {
      if (!image) this.#uncompared += 1;
      this.fail(event.reason, event.repository.source, image?.tag);
    } else {
      this.kept += 1;
      if (planned) this.planned -= 1;
    }
  }

  #copied({ bytes, blobs }: CopyResult): void {
    this.copied += 1;
    this.uploaded += bytes;
    for (const how of ['uploaded', 'mounted', 'there'] as const) this.blobs[how] += blobs[how];
  }
}
