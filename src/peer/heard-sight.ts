import { readClocks, wallTime } from '../clock/clock.ts';
import type { PeerSight } from '../failover/vip-eligibility.ts';
import { PeerClock } from './peer-clock.ts';
import { hearSight, type SightMessage } from './sight-message.ts';

/** What one other edge has told of itself last. */
export class HeardSight {
  readonly #peer: string;
  #clock: { of: string; clock: PeerClock } | undefined;
  /** Undefined: it tells nothing, as a process of an earlier release. */
  current: PeerSight | undefined;
  /** Milliseconds by which the clock of its host is ahead of the one of this host. */
  clockAheadMs: number | undefined;
  /** Its version of Breakwater. */
  release: string | undefined;

  /** @param peer its address */
  constructor(peer: string) {
    this.#peer = peer;
  }

  /**
   * @param process id of the process that tells
   * @param asked when the question was sent, and `answered`, when the answer was here; monotonic milliseconds
   * @param stood the question stood there for a while
   */
  take(process: string, message: SightMessage | undefined, asked: number, answered: number, stood: boolean): void {
    if (!message) {
      this.forget();
      return;
    }
    if (this.#clock?.of !== process) this.#clock = { of: process, clock: new PeerClock() };
    const { clock } = this.#clock;
    const at = clock.toLocal(message.at, asked, answered, stood);
    this.current = hearSight(message, this.#peer, clock.bounds(message.at));
    this.clockAheadMs = Math.round(message.wall - wallTime(at, readClocks()));
    this.release = message.release;
  }

  /** The edge does not answer, or is none. */
  forget(): void {
    this.current = undefined;
    this.clockAheadMs = undefined;
    this.release = undefined;
  }
}
