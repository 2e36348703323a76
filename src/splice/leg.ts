import type { BodySource } from '../upstream/body/body-source.ts';
import type { Verdict } from '../upstream/health/attempt-permit.ts';

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
  /** Milliseconds without a byte after which this upstream has stalled; default: the transfer's. */
  stallMs?: number | undefined;
  /** Called when the transfer goes on with it: what was found may come too late to be needed. */
  onBegin?: (() => void) | undefined;
}
