import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { monotonicNow } from '../clock/clock.ts';
import { inBackground } from '../http/background.ts';

interface Entry {
  addresses: dns.LookupAddress[];
  expires: number;
}

const TTL_MS = 30_000;
/**
 * Milliseconds to wait for a new answer before the old one is used. A dead name server takes some ten seconds to fail.
 */
const STALE_AFTER_MS = 250;
const MAX_NAMES = 1000;

/**
 * Resolves names, also while their name server is down: an answer is kept for 30 s, and the last known one is used when
 * there is no newer. `dns.lookup` shares libuv's four threads with all file I/O, so it is called rarely.
 */
export class Resolver {
  readonly #known = new LRUCache<string, Entry>({ maxSize: MAX_NAMES, sizeCalculation: () => 1 });
  readonly #pending = new Map<string, Promise<dns.LookupAddress[]>>();
  readonly #resolve: (name: string) => Promise<dns.LookupAddress[]>;

  constructor(
    resolve: (name: string) => Promise<dns.LookupAddress[]> = (name) => dns.promises.lookup(name, { all: true }),
  ) {
    this.#resolve = resolve;
  }

  /** For `net.connect`. */
  readonly lookup: LookupFunction = lookupFrom((name) => this.addresses(name));

  /** The addresses of a name. Rejects only when they were never known. */
  async addresses(name: string): Promise<dns.LookupAddress[]> {
    const entry = this.#known.get(name);
    if (entry && entry.expires > monotonicNow()) return entry.addresses;
    const pending = this.#pending.get(name) ?? this.#ask(name);
    if (!entry) return pending;
    const old = entry.addresses;
    return Promise.race([pending.catch(() => old), setTimeout(STALE_AFTER_MS, old, { ref: false })]);
  }

  #ask(name: string): Promise<dns.LookupAddress[]> {
    const asked = this.#resolve(name)
      .then((addresses) => {
        this.#known.set(name, { addresses, expires: monotonicNow() + TTL_MS });
        return addresses;
      })
      .finally(() => this.#pending.delete(name));
    this.#pending.set(name, asked);
    return asked;
  }
}

/** @param addresses rejects for a name that is not to be connected to */
export function lookupFrom(addresses: (name: string) => Promise<dns.LookupAddress[]>): LookupFunction {
  return (name, options, callback) => {
    // The callback belongs to a connection that has a boundary of its own; it must not end the process either.
    addresses(name).then(
      inBackground('names', (all: dns.LookupAddress[]) => {
        const wanted =
          options.family === 4 || options.family === 6 ? all.filter((one) => one.family === options.family) : all;
        const usable = wanted.length > 0 ? wanted : all;
        if (options.all) return callback(null, usable);
        const [first] = usable;
        return callback(null, first?.address ?? '', first?.family ?? 4);
      }),
      inBackground('names', (error: NodeJS.ErrnoException) => callback(error, options.all ? [] : '', 0)),
    );
  };
}
