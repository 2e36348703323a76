import type { CopyResult } from '../copy/copy-job.ts';
import type { RepositoryPair } from '../copy-route.ts';

/** A tag that the target lacks or has at another digest. */
export interface SyncImage {
  repository: RepositoryPair;
  tag: string;
  state: 'missing' | 'differs';
  /** Where the comparison had to read it. */
  sourceDigest?: string | undefined;
  /** Undefined: the target lacks the tag. */
  targetDigest?: string | undefined;
}

/** The events of a sync, in order. */
export type SyncEvent =
  /** A repository was compared. `same`: tags with equal digests. `surplus`: tags that only the target has; they stay. */
  | { kind: 'compared'; repository: RepositoryPair; same: number; surplus: number }
  /** An image will be copied. */
  | { kind: 'planned'; image: SyncImage }
  | { kind: 'began'; image: SyncImage }
  /** Bytes that will be sent for the image, as far as is known. */
  | { kind: 'expected'; image: SyncImage; bytes: number }
  /** Bytes that were sent. */
  | { kind: 'sent'; image: SyncImage; bytes: number }
  /** The image is on the target. */
  | { kind: 'copied'; image: SyncImage; result: CopyResult; ms: number }
  /** The target keeps what it has: another digest, or no such tag. `reason`: why, if only newer tags are copied. */
  | { kind: 'kept'; image: SyncImage; reason?: string }
  /** Only newer tags are copied, and it is not known whether this one is. */
  | { kind: 'undecided'; image: SyncImage; reason: string }
  /** `image` undefined: the whole repository failed. */
  | { kind: 'failed'; repository: RepositoryPair; image: SyncImage | undefined; reason: string };
