import { createHmac, hkdfSync } from 'node:crypto';
import NodeCache from 'node-cache';
import { type GrantEntry, GrantRecord } from './grant-record.ts';

const MAX_USERS = 10_000;

/** A user with a password at an authority. */
export interface GrantHolder {
  /** Identity of the authority. */
  authority: string;
  user: string;
  password: string;
  /** A hash of how the user logs in. Grants count for this form alone, and all forms of a user share the room of one. */
  form?: string;
}

/** One decision in the form that edges exchange. `holder` is a keyed hash. */
export interface Grant extends GrantEntry {
  holder: string;
  repository: string;
}

/** A clock that never steps, in monotonic milliseconds. `observe` tells whether a time is plausible. */
export interface GrantClock {
  now(): number;
  observe(at: number): boolean;
}

/**
 * What the authority let users pull, for outages of the authority. Entries are keyed by a keyed hash of authority, user and password, so
 * none of these is stored. Users, and repositories of each user, are bounded.
 */
export class Grants {
  readonly #clock: GrantClock;
  /** node-cache would count its times to live by the host's clock, which may be set (rule 12). */
  readonly #holders = new NodeCache({ useClones: false, stdTTL: 0, checkperiod: 0 });
  /**
   * Until when each holder takes room, the oldest update first: node-cache has no such order, and throws when it is full. What counts of a
   * holder is decided by the time of each decision.
   */
  readonly #ends = new Map<string, number>();
  /** Holder -> a keyed hash of the user alone, for the logins that this edge has seen: `explain` asks by name, and has no password. */
  readonly #users = new Map<string, string>();
  #keys: readonly Uint8Array[] = [];
  #keepMs = 0;
  /** Called with each changed decision, and with the previous one if it may be the same. */
  onChange: ((grant: Grant, before: GrantEntry | undefined) => void) | undefined;

  /**
   * @param secrets of the edge; the keys of the hashes derive from them
   * @param keepMs milliseconds for which a grant counts
   */
  constructor(secrets: readonly Buffer[], keepMs: number, clock: GrantClock) {
    this.#clock = clock;
    this.reload(secrets, keepMs);
    this.#holders.on('del', (holder: string) => {
      this.#ends.delete(holder);
      this.#users.delete(holder);
    });
  }

  /** The first secret makes new hashes; hashes of the others are still found. */
  reload(secrets: readonly Buffer[], keepMs: number): void {
    this.#keepMs = keepMs;
    // Without a memory a revocation would be forgotten too, so all grants are dropped.
    if (keepMs === 0) this.#holders.del([...this.#ends.keys()]);
    this.#keys = secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, '', 'breakwater grants 1', 32)));
  }

  /** Milliseconds for which a decision counts. */
  get keepMs(): number {
    return this.#keepMs;
  }

  /** The time to record with the authority's next decision. */
  now(): number {
    return this.#clock.now();
  }

  /** Records that the password is right and which repositories it opens. @param at `now()` before the authority was asked */
  remember(holder: GrantHolder, repositories: readonly string[], at: number): void {
    const [hash] = this.#hashes(holder);
    if (hash === undefined) return;
    const names = [undefined, ...repositories].map((name) => entryName(holder, name));
    this.#mergeInto(hash, GrantRecord.accepted(names, at));
    const [user] = this.#hashesOf([holder.authority, holder.user]);
    if (user !== undefined && this.#ends.has(hash)) this.#users.set(hash, user);
  }

  /**
   * What is remembered of a user without the password, whatever that is. Logins that only another edge has seen are not found by name.
   * @returns milliseconds for which a password, and the pull, is still known to be right; undefined: this edge knows of no login
   */
  rightsOf(
    { authority, user }: Pick<GrantHolder, 'authority' | 'user'>,
    repository: string,
  ): { passwordMs: number; pullMs: number } | undefined {
    const users = this.#hashesOf([authority, user]);
    const holders = [...this.#users].filter(([, of]) => users.includes(of)).map(([holder]) => holder);
    const records = holders.flatMap((holder) => this.#record(holder) ?? []);
    if (records.length === 0) return undefined;
    const best = (name: string | undefined) =>
      Math.max(0, ...records.flatMap((record) => namesFor(record, name).map((one) => this.#leftMs([record], one))));
    return { passwordMs: best(undefined), pullMs: best(repository) };
  }

  /**
   * Records what the authority no longer grants.
   * @param repositories undefined: the password is wrong now
   * @returns whether a grant was taken back
   */
  revoke(holder: GrantHolder, repositories: readonly string[] | undefined, at: number): boolean {
    let changed = 0;
    for (const hash of this.#hashes(holder)) {
      const record = this.#record(hash);
      // Only known grants are revoked: otherwise guesses could fill the memory.
      const known = namesToRevoke(holder, repositories, record)?.filter((name) => record?.find(name) !== undefined);
      if (record) changed += this.#mergeInto(hash, GrantRecord.refused(known, at));
    }
    return changed > 0;
  }

  /** Milliseconds for which the password is still known to be right; 0: not known. */
  passwordValidMs(holder: GrantHolder): number {
    return this.#remainingMs(holder, undefined);
  }

  /** Milliseconds for which the pull is still granted; 0: not granted. */
  pullValidMs(holder: GrantHolder, repository: string): number {
    return this.#remainingMs(holder, repository);
  }

  /** A keyed hash of the holder, and of one repository. */
  keyOf(holder: GrantHolder, repository = ''): string {
    const [hash = ''] = this.#hashes(holder);
    return `${hash} ${entryName(holder, repository)}`;
  }

  find(holder: string, repository: string): GrantEntry | undefined {
    return this.#record(holder)?.find(repository);
  }

  /**
   * Merges decisions of another edge, in any order and any number of times.
   * @param doubtMs milliseconds by which a grant may have been later, and a refusal earlier
   * @returns how many were new
   */
  merge(grants: readonly Grant[], doubtMs = 0): number {
    let news = 0;
    for (const [holder, told] of Map.groupBy(grants, (grant) => grant.holder)) {
      const believed = told.filter(({ at }) => this.#clock.observe(at));
      const entries = believed.map(({ repository, at, granted }) => [repository, { at, granted }] as const);
      const record = this.#record(holder);
      const isNew = ([name, entry]: (typeof entries)[number]) => !record?.isToldAgain(name, entry, entry.at - doubtMs);
      news += this.#mergeInto(holder, entries.filter(isNew));
      const latest = ({ at, granted }: GrantEntry) => ({ at: granted ? at + doubtMs : at, granted });
      this.#contradict(
        holder,
        entries.map(([name, entry]) => [name, latest(entry)] as const),
      );
    }
    return news;
  }

  close(): void {
    this.#holders.close();
  }

  #mergeInto(holder: string, told: readonly (readonly [string, GrantEntry])[]): number {
    const newest = Math.max(...told.map(([, { at }]) => at));
    const now = this.#clock.now();
    if (!(newest + this.#keepMs > now) || this.#keepMs === 0) return 0;
    const record = this.#record(holder) ?? new GrantRecord();
    const before = new Map(told.map(([repository]) => [repository, record.repeated(repository)]));
    const changed = record.merge(told);
    if (changed.length === 0) return 0;
    this.#holders.set(holder, record);
    this.#ends.delete(holder);
    this.#ends.set(holder, now + this.#keepMs);
    for (const [oldest, end] of this.#ends) {
      if (this.#ends.size <= MAX_USERS && end > now) break;
      this.#holders.del(oldest);
    }
    for (const repository of changed) {
      const entry = record.find(repository);
      if (entry) this.onChange?.({ holder, repository, ...entry }, before.get(repository));
    }
    return changed.length;
  }

  #contradict(holder: string, told: readonly (readonly [string, GrantEntry])[]): void {
    const record = this.#record(holder);
    const names = new Set(told.flatMap(([name, entry]) => record?.contradicting(name, entry) ?? []));
    for (const repository of names) {
      const entry = record?.find(repository);
      if (entry) this.onChange?.({ holder, repository, ...entry }, undefined);
    }
  }

  #remainingMs(holder: GrantHolder, repository: string | undefined): number {
    const records = this.#hashes(holder).flatMap((hash) => this.#record(hash) ?? []);
    return this.#leftMs(records, entryName(holder, repository));
  }

  #leftMs(records: readonly GrantRecord[], name: string): number {
    const at = GrantRecord.grantedAt(records, name);
    return at === undefined ? 0 : Math.max(0, at + this.#keepMs - this.#clock.now());
  }

  #record(holder: string): GrantRecord | undefined {
    return this.#holders.get<GrantRecord>(holder);
  }

  /** The holder's hash with each key, the current key first. */
  #hashes({ authority, user, password }: GrantHolder): string[] {
    return this.#hashesOf([authority, user, password]);
  }

  #hashesOf(parts: readonly string[]): string[] {
    const text = JSON.stringify(parts);
    return this.#keys.map((key) => createHmac('sha256', key).update(text).digest('base64'));
  }
}

/** The entry for a repository, or for the password itself. No repository has a space in its name. */
function entryName({ form }: GrantHolder, repository = ''): string {
  return form === undefined ? repository : `${form} ${repository}`;
}

/** The entries for a repository, or for the password itself, in every form. */
function namesFor(record: GrantRecord, repository = ''): string[] {
  return record.names.filter((name) => name === repository || name.endsWith(` ${repository}`));
}

/** @returns undefined: every entry. Of a form, its login and what is granted, so that a refusal that is repeated is one entry. */
function namesToRevoke(
  holder: GrantHolder,
  repositories: readonly string[] | undefined,
  record: GrantRecord | undefined,
): string[] | undefined {
  if (repositories) return repositories.map((name) => entryName(holder, name));
  if (holder.form === undefined) return undefined;
  const all = record?.names.filter((name) => name.startsWith(`${holder.form} `)) ?? [];
  return all.filter((name) => name === entryName(holder) || record?.find(name)?.granted);
}
