import { mock } from 'node:test';
import type { Owner } from './temporary-folder.ts';

/** What operators, time servers and paused virtual machines do to a host's clock, in milliseconds. */
export const CLOCK_STEPS = {
  'an hour back': -3_600_000,
  'an hour forward': 3_600_000,
  'eight days back': -8 * 86_400_000,
  'eight days forward': 8 * 86_400_000,
};

/** Sets the host's clock, as this process sees it, until the test ends. @returns sets it once more */
export function setHostClock(owner: Owner, byMs: number): (byMs: number) => void {
  const Real = globalThis.Date;
  let ahead = byMs;
  class StepDate extends Real {
    constructor(...given: unknown[]) {
      if (given.length === 0) super(StepDate.now());
      else super(...(given as [number]));
    }

    static override now(): number {
      return Real.now() + ahead;
    }
  }
  Object.assign(globalThis, { Date: StepDate });
  owner.teardown(() => Object.assign(globalThis, { Date: Real }));
  return (more) => {
    ahead += more;
  };
}

/** Time as a test lets it pass, for timers, `Date` and `performance.now`. */
export class MockedTime {
  readonly #start: number;
  #passed = 0;
  #ahead = 0;

  constructor(owner: Owner) {
    mock.timers.reset();
    mock.restoreAll();
    this.#start = performance.now();
    const wall = Date.now();
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    mock.method(performance, 'now', () => this.#start + this.#passed);
    mock.method(Date, 'now', () => wall + this.#passed + this.#ahead);
    owner.teardown(() => {
      mock.timers.reset();
      mock.restoreAll();
    });
  }

  pass(ms: number): void {
    this.#passed += ms;
    mock.timers.tick(ms);
  }

  /** Sets the host's clock. No time passes. */
  setHostClock(byMs: number): void {
    this.#ahead += byMs;
  }
}
