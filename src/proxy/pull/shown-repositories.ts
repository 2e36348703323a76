import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { monotonicNow } from '../../clock/clock.ts';

/** Milliseconds for which an answer to a client's own credentials shows what the client may see. A token of the edge opens as much as long. */
const SHOWN_MS = 3_600_000;
const MAX_ENTRIES = 20_000;
/** Entries that one client may bring, so that no client crowds out the others (rule 8). */
const MAX_PER_CLIENT = 2000;
/** Every client without credentials. */
const NOBODY = '';

/**
 * The repositories that upstreams have shown to clients with credentials of their own. While such an upstream is well, another upstream may
 * answer only these clients in its place: it may be hiding the repository from all others (rule 3). What it shows without credentials is
 * open to every client.
 */
export class ShownRepositories {
  readonly #shown: SharedCache<true>;
  /** The login by which a token was made. Clients ask for a new token at each pull. */
  readonly #logins: SharedCache<string>;

  /** @param now monotonic milliseconds */
  constructor(now = monotonicNow) {
    this.#shown = new SharedCache(now);
    this.#logins = new SharedCache(now);
  }

  /**
   * Notes by which login a token service has made a token.
   * @param login all by which the service may have known the user; undefined: nothing
   * @param client the client that asked for it
   */
  noteToken(token: string, login: string | undefined, client: string): void {
    this.#logins.set(hashOf(`Bearer ${token}`), login === undefined ? NOBODY : hashOf(login), client);
  }

  /** @param client the client that brought the credentials */
  note(upstream: string, repository: string, authorization: string | undefined, client: string): void {
    this.#shown.set(keyOf(upstream, repository, this.#holder(authorization)), true, client);
  }

  has(upstream: string, repository: string, authorization: string | undefined): boolean {
    return [this.#holder(authorization), NOBODY].some((holder) => this.#shown.has(keyOf(upstream, repository, holder)));
  }

  /** The upstream hides the repository from these credentials now. Clients without any share a memory, so none of them takes from it. */
  takeBack(upstream: string, repository: string, authorization: string | undefined): void {
    const holder = this.#holder(authorization);
    if (holder !== NOBODY) this.#shown.delete(keyOf(upstream, repository, holder));
  }

  /** Forgets all that an upstream has shown. */
  forget(upstream: string): void {
    for (const key of this.#shown.keys()) if (key.startsWith(`${upstream}\n`)) this.#shown.delete(key);
  }

  #holder(authorization: string | undefined): string {
    if (authorization === undefined) return NOBODY;
    const own = hashOf(authorization.replace(/^bearer +/i, 'Bearer '));
    return this.#logins.get(own) ?? own;
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

function keyOf(upstream: string, repository: string, holder: string): string {
  return `${upstream}\n${repository}\n${holder}`;
}

/** A cache of which each client may fill a share. */
class SharedCache<V> {
  readonly #entries: LRUCache<string, { value: V; client: string }>;
  /** The keys that each client brought. The one that was set last comes last. */
  readonly #brought = new Map<string, Set<string>>();

  constructor(now: () => number) {
    this.#entries = new LRUCache({
      maxSize: MAX_ENTRIES,
      sizeCalculation: () => 1,
      ttl: SHOWN_MS,
      ttlResolution: 0,
      perf: { now },
      dispose: ({ client }, key) => this.#release(client, key),
    });
  }

  set(key: string, value: V, client: string): void {
    const owner = this.#entries.get(key)?.client ?? client;
    this.#entries.set(key, { value, client: owner });
    const own = this.#brought.get(owner) ?? new Set();
    this.#brought.set(owner, own.add(key));
    const [oldest] = own;
    if (own.size > MAX_PER_CLIENT && oldest !== undefined) this.#entries.delete(oldest);
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  keys(): string[] {
    return [...this.#entries.keys()];
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  #release(client: string, key: string): void {
    const own = this.#brought.get(client);
    own?.delete(key);
    if (own?.size === 0) this.#brought.delete(client);
  }
}
