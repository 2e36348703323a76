import type { CanaryState } from '../../failover/view.ts';
import { inBackground } from '../../http/background.ts';

/** Decides about a failure. @param confirmed the canary, read after the failure, failed */
export type Decide = (confirmed: boolean) => void;

export interface UnconfirmedFailuresOptions {
  /** Reads the canary; the read begins after the call. Never rejects. */
  readCanary: () => Promise<CanaryState>;
  /** Milliseconds after which a canary that has not answered is later than usual. */
  silenceMs: () => number;
  /** The canary is later than usual (true), or has been read since then (false). */
  onSilence: (silent: boolean) => void;
}

/** Failures that wait for the canary. Further ones say nothing new. */
const MAX_WAITING = 256;
/** Milliseconds between a good canary and the next read, however often requests fail. */
const PAUSE_MS = 100;

/**
 * Failures that may be the fault of their own request (rule 8). The canary, read after them, decides. One read decides
 * about all failures that came before it.
 */
export class UnconfirmedFailures {
  readonly #options: UnconfirmedFailuresOptions;
  #waiting: Decide[] = [];
  #reading = false;
  #pause: NodeJS.Timeout | undefined;

  constructor(options: UnconfirmedFailuresOptions) {
    this.#options = options;
  }

  add(decide: Decide): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(decide);
    else decide(false);
    if (!this.#reading && this.#pause === undefined) void this.#read();
  }

  /** Decides about everything that waits: nothing is confirmed any more. */
  stop(): void {
    clearTimeout(this.#pause);
    for (const decide of this.#waiting.splice(0)) decide(false);
  }

  readonly #read = inBackground('canary', async () => {
    const { readCanary, silenceMs, onSilence } = this.#options;
    this.#reading = true;
    const asked = this.#waiting.splice(0);
    const timer = setTimeout(inBackground('canary', onSilence), silenceMs(), true).unref();
    let state: CanaryState = 'none';
    try {
      state = await readCanary();
    } finally {
      clearTimeout(timer);
      void inBackground('canary', onSilence)(false);
      this.#reading = false;
      for (const decide of asked) void inBackground('canary', decide)(state === 'failing');
      this.#pause = setTimeout(() => this.#next(), PAUSE_MS).unref();
    }
  });

  #next(): void {
    this.#pause = undefined;
    if (this.#waiting.length > 0) void this.#read();
  }
}
