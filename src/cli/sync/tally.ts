import type { CopyResult } from '../../replication/copy/copy-job.ts';
import type { SyncEvent, SyncImage } from '../../replication/sync/sync-event.ts';

/** What could not be copied, and why. `tag` undefined: the whole repository; `repository` undefined: the list of them. */
export interface SyncFailure {
  repository: string | undefined;
  tag: string | undefined;
  reason: string;
}

/** Failures that are kept by name; beyond them they are only counted. */
const MAX_FAILURES = 1000;

/** Counts what happened so far. */
export class SyncTally {
  repositories = 0;
  /** Tags that were all right before. */
  same = 0;
  /** Tags that only the other side has. */
  surplus = 0;
  /** Tags to be copied, done or not. */
  planned = 0;
  copied = 0;
  kept = 0;
  failed = 0;
  readonly failures: SyncFailure[] = [];
  /** Bytes that went over the wire or were mounted, those of what failed included. */
  sent = 0;
  /** Bytes of blobs of what was copied, without those that were there already or were mounted. */
  uploaded = 0;
  readonly blobs = { uploaded: 0, mounted: 0, there: 0 };
  /** The images that are being copied, oldest first; bytes. */
  readonly underWay = new Map<SyncImage, { expected: number; sent: number }>();
  /** The repository that was compared last. */
  last = '';
  /** Images that are still to be done. */
  left = 0;
  /** Repositories that are to be compared, and whether there will be more. */
  readonly offered = { count: 0, all: false };
  #uncompared = 0;

  /** Images that are done, one way or the other. */
  get done(): number {
    return this.planned - this.left;
  }

  /** All repositories were compared, so that `planned` is all there is. */
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
    } else if (event.kind === 'began') this.underWay.set(event.image, { expected: 0, sent: 0 });
    else if (event.kind === 'expected' || event.kind === 'sent') this.#count(event);
    else this.#end(event);
  }

  /** Something failed that is about no repository. */
  fail(reason: string, repository?: string, tag?: string): void {
    this.failed += 1;
    if (this.failures.length < MAX_FAILURES) this.failures.push({ repository, tag, reason });
  }

  #count({ kind, image, bytes }: Extract<SyncEvent, { bytes: number }>): void {
    const counts = this.underWay.get(image);
    if (counts) counts[kind] += bytes;
    if (kind === 'sent') this.sent += bytes;
  }

  #end(event: Extract<SyncEvent, { kind: 'copied' | 'kept' | 'failed' }>): void {
    const { image, kind } = event;
    // What is kept from the beginning was never planned.
    const planned = image !== undefined && this.underWay.delete(image);
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
