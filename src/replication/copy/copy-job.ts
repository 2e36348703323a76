import type { RemoteRegistry } from '../registry/remote-registry.ts';

/** One image, artifact or index to be copied; repositories in the names of each registry. */
export interface CopyJob {
  source: { registry: RemoteRegistry; repository: string };
  target: { registry: RemoteRegistry; repository: string };
  /** Tag or digest. */
  reference: string;
}

/** What copying one came to. */
export interface CopyResult {
  /** Undefined: the source has no such thing. */
  digest: string | undefined;
  /** `same`: it was there already. */
  outcome: 'copied' | 'same' | 'absent';
  manifests: number;
  blobs: { uploaded: number; mounted: number; there: number };
  /** Bytes of blobs that were uploaded. */
  bytes: number;
}

/** Told of what happens while it does. */
export interface CopyProgress {
  /** Bytes that will be uploaded, as far as is known by now. */
  expected?: (bytes: number) => void;
  /** Bytes that were. */
  sent?: (bytes: number) => void;
}
