import type { RemoteRegistry } from '../registry/remote-registry.ts';

/** One image, artifact or index to copy; repositories by their name on each registry. */
export interface CopyJob {
  source: { registry: RemoteRegistry; repository: string };
  target: { registry: RemoteRegistry; repository: string };
  /** Tag or digest. */
  reference: string;
  /**
   * Called with the digest of the source before it takes the place of another one on the target.
   * @throws CopyError: the target is newer
   */
  beforeReplace?: (digest: string) => Promise<void>;
}

/** The result of one copy. */
export interface CopyResult {
  /** Undefined: the source has no such manifest. */
  digest: string | undefined;
  /** `same`: the target already had the manifest. */
  outcome: 'copied' | 'same' | 'absent';
  manifests: number;
  blobs: { uploaded: number; mounted: number; there: number };
  /** Bytes of blobs that were uploaded. */
  bytes: number;
}

/** Callbacks while a copy is running. */
export interface CopyProgress {
  /** Called with bytes that will be uploaded, as far as is known. */
  expected?: (bytes: number) => void;
  /** Called with bytes that were uploaded. */
  sent?: (bytes: number) => void;
}
