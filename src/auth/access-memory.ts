import { randomBytes } from 'node:crypto';
import type { IssuerKeys } from '../upstream/credentials/issuer-keys.ts';
import { FailureLimit } from './failure-limit.ts';
import { type GrantClock, Grants } from './grants.ts';

/** State that survives a reload of the configuration, so that a reload logs out no user and forgives no failed login. */
export class AccessMemory {
  /** Stands in for a missing `keyFile`; lost when the process ends. */
  readonly #secret = randomBytes(32);
  readonly failures = new FailureLimit();
  readonly grants: Grants;
  /** Keys of issuers, which may not answer during a reload. */
  #issuerKeys: ReadonlyMap<string, IssuerKeys> = new Map();

  /**
   * @param keys secrets of `keyFile`, the current one first
   * @param remember milliseconds for which grants are kept
   */
  constructor(keys: readonly Buffer[], remember: number, clock: GrantClock) {
    this.grants = new Grants(this.secretsWith(keys), remember, clock);
  }

  reload(keys: readonly Buffer[], remember: number): void {
    this.grants.reload(this.secretsWith(keys), remember);
  }

  /** The secrets that seal and open tokens: those of `keyFile`, then the one of this process. */
  secretsWith(keys: readonly Buffer[]): readonly Buffer[] {
    return [...keys, this.#secret];
  }

  /** The keys of issuers: those that are here, or new ones. All others are dropped. @param makers by what tells the issuers apart */
  keysOf(makers: ReadonlyMap<string, () => IssuerKeys>): IssuerKeys[] {
    this.#issuerKeys = new Map([...makers].map(([id, make]) => [id, this.#issuerKeys.get(id) ?? make()]));
    return [...this.#issuerKeys.values()];
  }

  close(): void {
    this.grants.close();
  }
}
