import { randomBytes } from 'node:crypto';
import { FailureLimit } from './failure-limit.ts';
import { type GrantClock, Grants } from './grants.ts';

/** What outlives a reload of the configuration: nobody is logged out by one, and no failure is forgiven. */
export class AccessMemory {
  /** Good for this process only. */
  readonly #secret = randomBytes(32);
  readonly failures = new FailureLimit();
  readonly grants: Grants;

  /**
   * @param keys of `keyFile`, the one in use first
   * @param remember milliseconds for which grants are remembered
   */
  constructor(keys: readonly Buffer[], remember: number, clock: GrantClock) {
    this.grants = new Grants(this.secretsWith(keys), remember, clock);
  }

  reload(keys: readonly Buffer[], remember: number): void {
    this.grants.reload(this.secretsWith(keys), remember);
  }

  /** What seals and opens: the keys of `keyFile`, if there is one, and what stands for it while there is none. */
  secretsWith(keys: readonly Buffer[]): readonly Buffer[] {
    return [...keys, this.#secret];
  }

  close(): void {
    this.grants.close();
  }
}
