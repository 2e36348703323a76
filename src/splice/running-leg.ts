import type { BodySource } from '../upstream/body/body-source.ts';
import type { Verdict } from '../upstream/health/attempt-permit.ts';
import { LegClock, type PaceLimits } from './pace.ts';

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

/** How long the end of a body may take after its last byte, in milliseconds. */
const LINGER_MS = 1000;

/** A leg under way. */
export class Course {
  readonly leg: Leg;
  readonly clock: LegClock;
  /** Place in the blob of the next byte that comes. */
  place: number;
  /** Its source came to its end. */
  #ran = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(leg: Leg, pace: PaceLimits) {
    this.leg = leg;
    this.place = leg.begins;
    this.clock = new LegClock({ ...pace, stallMs: leg.stallMs ?? pace.stallMs });
  }

  /** Its source said so. */
  ended(): void {
    this.#ran = true;
    clearTimeout(this.#linger);
  }

  /** It is not wanted any more. */
  drop(verdict: Verdict): void {
    this.clock.stop();
    this.leg.source.destroy();
    this.leg.lease.ended(verdict);
  }

  /** All that was wanted has come: its connection serves again if that was also all of it. */
  close(): void {
    this.clock.stop();
    if (!this.#ran && this.place === this.leg.ends) this.#linger = setTimeout(() => this.stop(), LINGER_MS).unref();
    else if (!this.#ran) this.stop();
    this.leg.lease.ended('good');
  }

  /** Ends what still comes. */
  stop(): void {
    clearTimeout(this.#linger);
    this.leg.source.destroy();
  }
}
