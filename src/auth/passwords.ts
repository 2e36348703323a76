import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import bcrypt from 'bcrypt';
import { LRUCache } from 'lru-cache';
import type { PasswordHashes } from '../config/htpasswd.ts';

/** bcrypt ignores all bytes of a password after these. */
export const MAX_PASSWORD_BYTES = 72;
const NEW_HASH_COST = 12;
const MAX_REMEMBERED = 1024;
const REMEMBER_MS = 300_000;
const DEFAULT_COST = 10;

/**
 * Verifies passwords against bcrypt hashes, outside of the main thread. Clients send their password with each token request, so a verified
 * password is remembered for five minutes as a keyed hash whose key exists only in this process.
 */
export class Passwords {
  readonly #users: PasswordHashes;
  readonly #secret = randomBytes(32);
  readonly #verified: LRUCache<string, Buffer>;
  readonly #bases: ReadonlyMap<string, string>;
  /** The cost of each user's hash: an unknown name takes as long as a certain one of them. */
  readonly #costs: readonly string[];

  constructor(users: PasswordHashes, now?: () => number) {
    this.#users = users;
    this.#verified = new LRUCache({
      maxSize: MAX_REMEMBERED,
      sizeCalculation: () => 1,
      ttl: REMEMBER_MS,
      ttlResolution: 0,
      ...(now ? { perf: { now } } : {}),
    });
    this.#bases = new Map([...users].map(([user, hash]) => [user, basisOf(hash)]));
    this.#costs = [...users.values()].map((hash) => hash.slice(4, 6));
  }

  /** Changes with the user's password and reveals nothing of it; undefined: no such user. */
  basis(user: string): string | undefined {
    return this.#bases.get(user);
  }

  /** Whether this password was verified in the last five minutes. */
  isRecentlyVerified(user: string, password: string): boolean {
    const own = this.#users.get(user);
    const right = this.#verified.get(user);
    return own !== undefined && right !== undefined && timingSafeEqual(right, this.#keyedHash(own, password));
  }

  async verify(user: string, password: string): Promise<boolean> {
    if (this.isRecentlyVerified(user, password)) return true;
    const own = this.#users.get(user);
    const right = await bcrypt.compare(password, nodeForm(own ?? this.#decoyHash(user)));
    if (!right || own === undefined || Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return false;
    this.#verified.set(user, this.#keyedHash(own, password));
    return true;
  }

  /** A hash that no password matches. */
  #decoyHash(user: string): string {
    const which = createHmac('sha256', this.#secret).update(user).digest().readUInt32BE() % (this.#costs.length || 1);
    return `$2b$${this.#costs[which] ?? DEFAULT_COST}$${'.'.repeat(53)}`;
  }

  #keyedHash(hash: string, password: string): Buffer {
    return createHmac('sha256', this.#secret).update(`${hash}\0${password}`).digest();
  }
}

/** `$2y$` and `$2a$` are other names of the bcrypt variant `$2b$`. */
function nodeForm(hash: string): string {
  return hash.replace(/^\$2[ay]\$/, '$2b$');
}

function basisOf(hash: string): string {
  return createHmac('sha256', 'breakwater basis').update(hash).digest('base64url').slice(0, 16);
}

/** The bcrypt hash of a new password. @throws RangeError for a password that is empty or longer than bcrypt reads */
export async function hashPassword(password: string): Promise<string> {
  const bytes = Buffer.byteLength(password);
  if (bytes === 0) throw new RangeError('a password cannot be empty');
  if (bytes > MAX_PASSWORD_BYTES) throw new RangeError(`a password has at most ${MAX_PASSWORD_BYTES} bytes`);
  if (/[\x00-\x1f\x7f]/.test(password)) throw new RangeError('a password has no control characters');
  return bcrypt.hash(password, NEW_HASH_COST);
}
