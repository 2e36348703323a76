import { monotonicNow } from '../../clock/clock.ts';
import type { CanaryState } from '../../failover/view.ts';
import { withinLimit } from '../within-limit.ts';
import type { Canary } from './canary.ts';
import { readCanary } from './probe.ts';
import type { ProbeAccess } from './probe-access.ts';

/** One read of the canary. */
export interface CanaryRead {
  /** Its result within the limit of a probe; `failing` if there is none by then. */
  soon: Promise<CanaryState>;
  /** Its result, however late. The caller bounds the wait. */
  last: () => Promise<CanaryState>;
}

export interface CanaryReadsOptions {
  canary: Canary;
  access: (signal: AbortSignal) => ProbeAccess;
  /** Milliseconds after which a read is late. */
  limit: () => number;
  /** @param late the read has not ended within the limit, and counts as failing */
  onRead: (state: CanaryState, late: boolean) => void;
}

/** Milliseconds for which a late read goes on. */
const PATIENCE_MS = 10_000;

/** Milliseconds after which a read that is still under way no longer holds up the next one. A slow upstream would make callers wait twice. */
const SHARE_MS = 1000;

/** Reads the canary between probes. Simultaneous callers share one read, which begins after their calls. */
export class CanaryReads {
  readonly #options: CanaryReadsOptions;
  /** The last read, while the next one waits for it. */
  #running: Promise<void> | undefined;
  #next: Promise<CanaryRead> | undefined;
  /** Reads without a result yet, and when they began; monotonic milliseconds. The first one comes first. */
  #underWay: { read: CanaryRead; began: number }[] = [];

  constructor(options: CanaryReadsOptions) {
    this.#options = options;
  }

  /** @param since a read under way counts too if it began then or later; monotonic milliseconds */
  async begin(since = Number.POSITIVE_INFINITY): Promise<CanaryRead> {
    const underWay = this.#underWay.find(({ began }) => began >= since);
    if (underWay) return underWay.read;
    if (!this.#running) {
      const read = this.#read();
      this.#running = withinLimit(read.soon, SHARE_MS).then(() => {
        this.#running = undefined;
      });
      return read;
    }
    // The read under way began before this call, so its result does not count.
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.begin();
    });
    return this.#next;
  }

  #read(): CanaryRead {
    const { canary, access, limit, onRead } = this.#options;
    const control = new AbortController();
    const began = monotonicNow();
    const reading = readCanary(canary, access(control.signal));
    let isAwaited = false;
    const soon = withinLimit(reading, limit()).then((state) => {
      const late = state === 'late';
      if (late && !isAwaited) control.abort();
      onRead(late ? 'failing' : state, late);
      return late ? 'failing' : state;
    });
    const last = () => {
      isAwaited = true;
      const timer = setTimeout(() => control.abort(), PATIENCE_MS).unref();
      return reading.finally(() => clearTimeout(timer));
    };
    const read = { soon, last };
    this.#underWay.push({ read, began });
    void soon.then(() => {
      this.#underWay = this.#underWay.filter((one) => one.read !== read);
    });
    return read;
  }
}
