import { UpstreamError } from '../upstream/upstream-error.ts';
import { Pace, type PaceLimits } from './pace.ts';

/** The clocks of who brings a body; they run only while it is waited for. */
export class LegClock {
  readonly #limits: PaceLimits;
  readonly #pace: Pace;
  #timer: NodeJS.Timeout | undefined;
  #silent = false;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
    this.#pace = new Pace(limits);
  }

  /** @param onStall called once, if no byte comes for too long */
  start(onStall: (error: UpstreamError) => void): void {
    const { stallMs } = this.#limits;
    this.#pace.wait(performance.now());
    clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      this.#silent = true;
      // A process that was held up finds its timers due before it sees what has come meanwhile.
      setImmediate(() => {
        if (this.#silent && this.#timer === timer)
          onStall(new UpstreamError('stall', `no byte for ${Math.round(stallMs)} ms`));
      });
    }, stallMs);
    this.#timer = timer;
  }

  /** @returns why somebody else is to be looked for, if it brings too little */
  took(bytes: number): UpstreamError | undefined {
    this.#silent = false;
    this.#timer?.refresh();
    const missed = this.#pace.took(bytes, performance.now());
    if (!missed) return undefined;
    const { rate, ms } = missed;
    return new UpstreamError('stall', `less than ${Math.round(rate)} bytes a second for ${ms / 1000} s`);
  }

  stop(): void {
    this.#pace.hold(performance.now());
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
