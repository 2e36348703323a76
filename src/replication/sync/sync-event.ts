import type { CopyResult } from '../copy/copy-job.ts';
import type { RepositoryPair } from '../copy-route.ts';

/** A tag that the other side lacks, or has at another digest. */
export interface SyncImage {
  repository: RepositoryPair;
  tag: string;
  state: 'missing' | 'differs';
}

/** What happens while a registry is brought in step with another, in the order in which it does. */
export type SyncEvent =
  /** A repository was compared. `same`: tags that are all right. `surplus`: tags that only the other side has; they stay. */
  | { kind: 'compared'; repository: RepositoryPair; same: number; surplus: number }
  /** An image is to be copied. */
  | { kind: 'planned'; image: SyncImage }
  | { kind: 'began'; image: SyncImage }
  /** Bytes that will be sent for it, as far as is known by now. */
  | { kind: 'expected'; image: SyncImage; bytes: number }
  /** Bytes that were. */
  | { kind: 'sent'; image: SyncImage; bytes: number }
  /** It is there now. */
  | { kind: 'copied'; image: SyncImage; result: CopyResult; ms: number }
  /** The other side has something else under that tag, which stays. */
  | { kind: 'kept'; image: SyncImage }
  /** `image` undefined: the whole repository. */
  | { kind: 'failed'; repository: RepositoryPair; image: SyncImage | undefined; reason: string };
