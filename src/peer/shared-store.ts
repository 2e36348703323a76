import { z } from 'zod';
import { ChangeLog } from './change-log.ts';
import type { PeerTime } from './peer-clock.ts';

/** A store whose changes are shared between edges. */
export interface SharedStore {
  /** The store's name in the protocol. */
  readonly name: string;
  /** Version of the last local change; 0: none. */
  readonly head: number;
  /**
   * The changes after a version, in the form that `merge` of another edge takes.
   * @param max most entries
   * @param now the moment from which ages count; monotonic milliseconds
   * @returns next: the version to continue from; `head` once all is told
   */
  since(version: number, max: number, now: number): { entries: unknown[]; next: number };
  /**
   * Merges entries of another edge, in any order and any number of times.
   * @param now the moment from which ages count; monotonic milliseconds of this process
   * @param time how exactly that moment is known
   * @returns how many were new; undefined: malformed, and none was merged
   */
  merge(entries: readonly unknown[], now: number, time?: PeerTime): number | undefined;
}

export interface SharedEntries<Entry> {
  /** The store's name in the protocol. */
  name: string;
  /** One entry in the protocol. */
  entry: z.ZodType<Entry>;
  /** The entry of a key, with ages at `now`; undefined: it was dropped, and is not told. */
  find: (key: string, now: number) => Entry | undefined;
  /** @param now the moment from which ages count @returns how many were new */
  merge: (entries: readonly Entry[], now: number, time: PeerTime) => number;
}

/** Tells the entries of a store in the order of their changes. */
export class ChangedEntries<Entry> implements SharedStore {
  readonly name: string;
  readonly #shared: SharedEntries<Entry>;
  readonly #log: ChangeLog;

  constructor(shared: SharedEntries<Entry>) {
    this.name = shared.name;
    this.#shared = shared;
    this.#log = new ChangeLog((key) => shared.find(key, 0) !== undefined);
  }

  get head(): number {
    return this.#log.head;
  }

  /** The entry of this key has changed. */
  record(key: string): void {
    this.#log.record(key);
  }

  since(version: number, max: number, now: number): { entries: unknown[]; next: number } {
    const { keys, next } = this.#log.since(version, max);
    return { entries: keys.map((key) => this.#shared.find(key, now)).filter((entry) => entry !== undefined), next };
  }

  merge(entries: readonly unknown[], now: number, time = { earliest: now, latest: now, doubt: 0 }): number | undefined {
    const read = z.array(this.#shared.entry).safeParse(entries);
    return read.success ? this.#shared.merge(read.data, now, time) : undefined;
  }
}
