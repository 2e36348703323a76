import { randomBytes } from 'node:crypto';
import { FailureLimit } from './failure-limit.ts';
import { Grants } from './grants.ts';

/** What outlives a reload of the configuration: nobody is logged out by one, and no failure is forgiven. */
export class AccessMemory {
  /** Seals tokens. */
  readonly secret: Buffer;
  readonly failures = new FailureLimit();
  readonly grants: Grants;

  /**
   * @param key contents of `keyFile`; without it tokens are worth something to this process only
   * @param remember milliseconds for which grants are remembered
   */
  constructor(key: Buffer | undefined, remember: number) {
    this.secret = key ?? randomBytes(32);
    this.grants = new Grants(this.secret, remember);
  }

  close(): void {
    this.grants.close();
  }
}
