import { createHmac, hkdfSync } from 'node:crypto';
import NodeCache from 'node-cache';

const MAX_USERS = 10_000;
const MAX_REPOSITORIES = 2000;

/** Repository -> until when it is remembered, epoch milliseconds. */
type Remembered = Map<string, number>;

/**
 * What the authority let users pull, for the time when it cannot be asked. Kept by a keyed hash of user and password, so that neither
 * is here; bounded in users and in repositories of each.
 */
export class Grants {
  readonly #secret: Uint8Array;
  readonly #keepMs: number;
  readonly #now: () => number;
  readonly #users = new NodeCache({ useClones: false, maxKeys: MAX_USERS, checkperiod: 600 });

  /**
   * @param secret of the edge, from which the key of the hashes is derived
   * @param keepMs milliseconds
   */
  constructor(secret: Buffer, keepMs: number, now: () => number = Date.now) {
    this.#secret = new Uint8Array(hkdfSync('sha256', secret, '', 'breakwater grants 1', 32));
    this.#keepMs = keepMs;
    this.#now = now;
  }

  /** Takes down that the password is right, and what it opened. */
  remember(user: string, password: string, repositories: readonly string[]): void {
    // To node-cache a time to live of 0 is for ever.
    if (this.#keepMs === 0) return;
    const key = this.#key(user, password);
    const known = this.#users.get<Remembered>(key) ?? new Map();
    const until = this.#now() + this.#keepMs;
    known.set('', until);
    for (const repository of repositories) {
      known.delete(repository);
      known.set(repository, until);
    }
    for (const oldest of known.keys()) {
      if (known.size <= MAX_REPOSITORIES) break;
      if (oldest !== '') known.delete(oldest);
    }
    // node-cache throws when it is full instead of making room.
    if (!this.#users.has(key) && this.#users.keys().length >= MAX_USERS) this.#users.del(this.#users.keys()[0] ?? '');
    this.#users.set(key, known, this.#keepMs / 1000);
  }

  /** What the authority no longer grants. @param repositories undefined: the password is wrong now */
  forget(user: string, password: string, repositories?: readonly string[]): void {
    const key = this.#key(user, password);
    if (repositories === undefined) this.#users.del(key);
    for (const repository of repositories ?? []) this.#users.get<Remembered>(key)?.delete(repository);
  }

  /** Milliseconds for which it is still remembered that the password was right; 0: not. */
  knows(user: string, password: string): number {
    return this.#left(this.#users.get<Remembered>(this.#key(user, password)), '');
  }

  /** The same for one repository. */
  recalls(user: string, password: string, repository: string): number {
    return this.#left(this.#users.get<Remembered>(this.#key(user, password)), repository);
  }

  close(): void {
    this.#users.close();
  }

  #left(known: Remembered | undefined, repository: string): number {
    return Math.max(0, (known?.get(repository) ?? 0) - this.#now());
  }

  #key(user: string, password: string): string {
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([user, password]))
      .digest('base64');
  }
}
