import { setTimeout as wait } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { ContentTrust } from '../../failover/lost-content.ts';

type Look = Promise<ContentTrust>;

/** Looks of which one at a time is under way, and one more may wait. */
interface Lane {
  startedAt: number;
  running: Look | undefined;
  /** It has not begun. */
  next: Look | undefined;
}

/** Milliseconds between the starts of two looks of a lane: one client has up to four in a second. */
const GAP_MS = 250;
/** Most looks that clients start for themselves in a second, all together. */
const MAX_OWN = 8;
const WINDOW_MS = 1000;
const MAX_CLIENTS = 256;

/**
 * Starts looks for lost content. Each client has looks of its own, so that one that asks for many made-up digests makes no other one wait
 * (rule 8). When there are more clients than looks, the rest share theirs.
 */
export class LookQueue {
  readonly #run: () => Look;
  readonly #now: () => number;
  readonly #shared = newLane();
  readonly #lanes = new LRUCache<string, Lane>({ maxSize: MAX_CLIENTS, sizeCalculation: () => 1 });
  /** When the last looks of clients began. */
  #ownStarts: number[] = [];
  #ownWaiting = 0;

  /** @param run makes a look. Never rejects. */
  constructor(run: () => Look, now: () => number) {
    this.#run = run;
    this.#now = now;
  }

  /** A look that begins after this call. @param client undefined: the edge itself */
  look(client?: string): Look {
    const lane = this.#laneFor(client);
    if (lane.next) return lane.next;
    if (!lane.running && this.#pauseOf(lane) <= 0) return this.#begin(lane);
    lane.next = this.#beginLater(lane);
    return lane.next;
  }

  #laneFor(client: string | undefined): Lane {
    if (client === undefined) return this.#shared;
    const own = this.#lanes.get(client);
    if (own?.next) return own;
    this.#ownStarts = this.#ownStarts.filter((at) => at > this.#now() - WINDOW_MS);
    if (this.#ownStarts.length + this.#ownWaiting >= MAX_OWN) return this.#shared;
    const lane = own ?? newLane();
    this.#lanes.set(client, lane);
    return lane;
  }

  #pauseOf({ startedAt }: Lane): number {
    return startedAt + GAP_MS - this.#now();
  }

  #begin(lane: Lane): Look {
    lane.startedAt = this.#now();
    if (lane !== this.#shared) this.#ownStarts.push(lane.startedAt);
    const running = this.#run().finally(() => {
      if (lane.running === running) lane.running = undefined;
    });
    lane.running = running;
    return running;
  }

  async #beginLater(lane: Lane): Look {
    const isOwn = lane !== this.#shared;
    if (isOwn) this.#ownWaiting += 1;
    await lane.running;
    const pause = this.#pauseOf(lane);
    if (pause > 0) await wait(pause, undefined, { ref: false });
    if (isOwn) this.#ownWaiting -= 1;
    lane.next = undefined;
    return this.#begin(lane);
  }
}

function newLane(): Lane {
  return { startedAt: Number.NEGATIVE_INFINITY, running: undefined, next: undefined };
}
