import type { BodySource } from '../upstream/body-source.ts';
import type { Verdict } from '../upstream/lease.ts';

/** What one upstream brings of a body. */
export interface Leg {
  upstream: string;
  url: string;
  source: BodySource;
  /** Place in the blob of its first byte. */
  begins: number;
  /** Place just after its last byte; undefined where the extent is not known. */
  ends?: number | undefined;
  lease: { ended(verdict: Verdict): void };
}
