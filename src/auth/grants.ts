import { createHmac, hkdfSync } from 'node:crypto';
import NodeCache from 'node-cache';
import { type GrantEntry, GrantRecord } from './grant-record.ts';

const MAX_USERS = 10_000;
const MAX_REPOSITORIES = 2000;

/** Who asked whom. */
export interface GrantHolder {
  /** What tells the authority from every other one. */
  authority: string;
  user: string;
  password: string;
}

/** One word of an authority as nodes tell it each other: `holder` is a keyed hash. */
export interface Grant extends GrantEntry {
  holder: string;
  repository: string;
}

/** Epoch milliseconds of a clock that never goes back; `learn` says whether a time of another node is to be believed. */
export interface GrantClock {
  now(): number;
  observe(at: number): boolean;
}

/**
 * What the authority let users pull, for the time when it cannot be asked. Kept by a keyed hash of authority, user and password, so
 * that none of them is here; bounded in users and in repositories of each.
 */
export class Grants {
  readonly #clock: GrantClock;
  readonly #holders = new NodeCache({ useClones: false, checkperiod: 600 });
  /** Those first that were heard of least recently: node-cache knows no such order, and would throw when it is full. */
  readonly #order = new Set<string>();
  #keys: readonly Uint8Array[] = [];
  #keepMs = 0;
  /** Told of what is other than before, with the word before. */
  onChange: ((grant: Grant, before: GrantEntry | undefined) => void) | undefined;

  /**
   * @param secrets of the edge, from which the keys of the hashes are derived
   * @param keepMs milliseconds
   */
  constructor(secrets: readonly Buffer[], keepMs: number, clock: GrantClock) {
    this.#clock = clock;
    this.reload(secrets, keepMs);
    this.#holders.on('del', (holder: string) => this.#order.delete(holder));
  }

  /** The first secret hashes from now on; what was hashed with the others is still found. */
  reload(secrets: readonly Buffer[], keepMs: number): void {
    this.#keepMs = keepMs;
    // What is taken back while nothing is kept would be forgotten, and with it that it was.
    if (keepMs === 0) this.#holders.del([...this.#order]);
    this.#keys = secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, '', 'breakwater grants 1', 32)));
  }

  /** Milliseconds for which a word counts. */
  get keepMs(): number {
    return this.#keepMs;
  }

  /** The time to give to what the authority is about to say. */
  now(): number {
    return this.#clock.now();
  }

  /** Takes down that the password is right, and what it opened. @param at `now()` when the authority was asked */
  remember(holder: GrantHolder, repositories: readonly string[], at: number): void {
    const [hash] = this.#hashes(holder);
    if (hash !== undefined) this.#mergeInto(hash, GrantRecord.accepted(repositories, at));
  }

  /** What the authority no longer grants. @param repositories undefined: the password is wrong now */
  revoke(holder: GrantHolder, repositories: readonly string[] | undefined, at: number): void {
    for (const hash of this.#hashes(holder)) {
      const record = this.#holders.get<GrantRecord>(hash);
      // Only of what is known: else whoever guesses would fill the memory.
      const known = repositories?.filter((name) => record?.find(name) !== undefined);
      if (record) this.#mergeInto(hash, GrantRecord.refused(known, at));
    }
  }

  /** Milliseconds for which it is still remembered that the password was right; 0: not. */
  passwordValidMs(holder: GrantHolder): number {
    return this.#remainingMs(holder, undefined);
  }

  /** The same for one repository. */
  pullValidMs(holder: GrantHolder, repository: string): number {
    return this.#remainingMs(holder, repository);
  }

  find(holder: string, repository: string): GrantEntry | undefined {
    return this.#holders.get<GrantRecord>(holder)?.find(repository);
  }

  /** All that is known. */
  *entries(): Generator<Grant> {
    for (const holder of this.#order)
      for (const [repository, entry] of this.#holders.get<GrantRecord>(holder) ?? [])
        yield { holder, repository, ...entry };
  }

  /** Takes in what another node knows, in any order and as often as one likes. @returns how many told something new */
  merge(grants: readonly Grant[]): number {
    let news = 0;
    for (const [holder, told] of Map.groupBy(grants, (grant) => grant.holder)) {
      const believed = told.filter(({ at }) => this.#clock.observe(at));
      news += this.#mergeInto(
        holder,
        believed.map(({ repository, at, granted }) => [repository, { at, granted }] as const),
      );
    }
    return news;
  }

  close(): void {
    this.#holders.close();
  }

  #mergeInto(holder: string, told: readonly (readonly [string, GrantEntry])[]): number {
    const newest = Math.max(...told.map(([, { at }]) => at));
    // To node-cache a time to live of 0 is for ever.
    if (!(newest + this.#keepMs > this.#clock.now()) || this.#keepMs === 0) return 0;
    const known = this.#holders.get<GrantRecord>(holder);
    const record = known ?? new GrantRecord(MAX_REPOSITORIES);
    const before = new Map(told.map(([repository]) => [repository, record.find(repository)]));
    const changed = record.merge(told);
    if (changed.length === 0) return 0;
    this.#holders.set(holder, record, this.#keepMs / 1000);
    this.#order.delete(holder);
    this.#order.add(holder);
    for (const oldest of this.#order) {
      if (this.#order.size <= MAX_USERS) break;
      this.#holders.del(oldest);
    }
    for (const repository of changed) {
      const entry = record.find(repository);
      if (entry) this.onChange?.({ holder, repository, ...entry }, before.get(repository));
    }
    return changed.length;
  }

  #remainingMs(holder: GrantHolder, repository: string | undefined): number {
    const records = this.#hashes(holder).flatMap((hash) => this.#holders.get<GrantRecord>(hash) ?? []);
    const at = GrantRecord.grantedAt(records, repository);
    return at === undefined ? 0 : Math.max(0, at + this.#keepMs - this.#clock.now());
  }

  /** With each key, the one in use first. */
  #hashes({ authority, user, password }: GrantHolder): string[] {
    const text = JSON.stringify([authority, user, password]);
    return this.#keys.map((key) => createHmac('sha256', key).update(text).digest('base64'));
  }
}
