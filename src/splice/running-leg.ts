import type { BodySource } from '../upstream/body/body-source.ts';
import type { AttemptVerdict } from '../upstream/health/breaker.ts';
import { StallDetector, type ThroughputLimits } from './throughput.ts';

/** The part of a body that one upstream sends. */
export interface Leg {
  upstream: string;
  url: string;
  source: BodySource;
  /** Offset in the blob of the leg's first byte. */
  startOffset: number;
  /** Offset in the blob just after the leg's last byte; undefined when the extent is not known. */
  endOffset?: number | undefined;
  permit: { reportEnd(verdict: AttemptVerdict): void };
  /** Milliseconds without a byte after which this upstream counts as stalled; default: the transfer's limit. */
  stallMs?: number | undefined;
  /** Called when the transfer starts to use the leg. A leg found too late is never used. */
  onStart?: (() => void) | undefined;
}

/** Milliseconds that an upstream may take to end a body after its last byte. */
const END_TIMEOUT_MS = 1000;

/** A leg while its bytes are being read. */
export class RunningLeg {
  readonly leg: Leg;
  readonly stallDetector: StallDetector;
  /** Offset in the blob of the next byte to arrive. */
  offset: number;
  #sourceEnded = false;
  #endTimer: NodeJS.Timeout | undefined;

  constructor(leg: Leg, limits: ThroughputLimits) {
    this.leg = leg;
    this.offset = leg.startOffset;
    this.stallDetector = new StallDetector({ ...limits, stallMs: leg.stallMs ?? limits.stallMs });
  }

  sourceEnded(): void {
    this.#sourceEnded = true;
    clearTimeout(this.#endTimer);
  }

  /** Stops a leg that is no longer wanted. */
  drop(verdict: AttemptVerdict): void {
    this.stallDetector.stop();
    this.leg.source.destroy();
    this.leg.permit.reportEnd(verdict);
  }

  /** All wanted bytes have arrived. If they were the whole answer, the connection is kept for the next request. */
  complete(): void {
    this.stallDetector.stop();
    if (!this.#sourceEnded && this.offset === this.leg.endOffset)
      this.#endTimer = setTimeout(() => this.destroySource(), END_TIMEOUT_MS).unref();
    else if (!this.#sourceEnded) this.destroySource();
    this.leg.permit.reportEnd('good');
  }

  destroySource(): void {
    clearTimeout(this.#endTimer);
    this.leg.source.destroy();
  }
}
