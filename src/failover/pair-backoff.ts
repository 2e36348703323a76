import type { BreakerConfig } from '../config/schema.ts';
import type { Evidence } from './failure-evidence.ts';
import type { Backoff, TrafficClass } from './view.ts';

interface Entry extends Backoff {
  /** Late answers since the last good one. */
  lateInRow: number;
  /** The last time of backing off because of late answers. */
  lastMs: number;
}

const MAX_CLIENTS = 256;
/** Remembered of one client, so that no client crowds out others. */
const MAX_PER_CLIENT = 32;
/** Longest time of backing off because of late answers: a hedge shows whether the upstream is still late. */
const MAX_LATE_MS = 10_000;
/** Time for one request to show whether the upstream is still late. */
const TRIAL_MS = 1000;

/**
 * What an upstream's overload or slowness means for the (client, repository) that met it, while there is no sign that
 * others would meet it too (rule 8). Times are in milliseconds.
 */
export class PairBackoff {
  readonly #consecutive: number;
  readonly #open: number;
  readonly #most: number;
  /** By client, then by class and repository. The one used last comes last. */
  readonly #clients = new Map<string, Map<string, Entry>>();

  constructor({ consecutive, open, openMax }: Pick<BreakerConfig, 'consecutive' | 'open' | 'openMax'>) {
    this.#consecutive = consecutive;
    this.#open = open;
    this.#most = Math.min(openMax, Math.max(open, MAX_LATE_MS));
  }

  /** Notes a late answer. As many in a row as open a breaker make the upstream asked last. */
  late(evidence: Evidence, trafficClass: TrafficClass, now: number): void {
    const entry = this.#entry(evidence, trafficClass);
    entry.lateInRow += 1;
    if (entry.lateInRow < this.#consecutive) return;
    entry.lastMs = Math.min(Math.max(this.#open, 2 * entry.lastMs), this.#most);
    this.#extend(entry, now + entry.lastMs, 'late');
  }

  /** Notes that the upstream asked to be left alone for some milliseconds. */
  limited(evidence: Evidence, trafficClass: TrafficClass, ms: number, now: number): void {
    this.#extend(this.#entry(evidence, trafficClass), now + ms, 'limited');
  }

  /** Notes an answer that was not late. A rate limit stays until its time is over. */
  good(evidence: Evidence, trafficClass: TrafficClass): void {
    const entry = this.#clients.get(evidence.client)?.get(keyOf(evidence, trafficClass));
    if (!entry) return;
    entry.lateInRow = 0;
    entry.lastMs = 0;
    if (entry.why === 'late') entry.until = 0;
  }

  /**
   * Notes that the upstream is asked. After late answers, one request tries it; further ones only when that one had time to show something.
   */
  asked(evidence: Evidence, trafficClass: TrafficClass, now: number): void {
    const entry = this.#clients.get(evidence.client)?.get(keyOf(evidence, trafficClass));
    if (!entry || entry.until > now) return;
    if (entry.lateInRow >= this.#consecutive) this.#extend(entry, now + TRIAL_MS, 'late');
  }

  /** The upstream was down, and is back. The next request shows whether it is still late. A rate limit stays until its time is over. */
  recovered(): void {
    for (const entry of [...this.#clients.values()].flatMap((own) => [...own.values()])) {
      entry.lastMs = 0;
      if (entry.why === 'late') entry.until = 0;
    }
  }

  /** Undefined: the upstream may be asked as others are. Only `asked` changes something, because who looks may then ask another upstream. */
  current(evidence: Evidence, trafficClass: TrafficClass, now: number): Backoff | undefined {
    const entry = this.#clients.get(evidence.client)?.get(keyOf(evidence, trafficClass));
    return entry && entry.until > now ? { until: entry.until, why: entry.why } : undefined;
  }

  /** Whether the next request shows if the upstream is still late. */
  isTrial(evidence: Evidence, trafficClass: TrafficClass): boolean {
    const entry = this.#clients.get(evidence.client)?.get(keyOf(evidence, trafficClass));
    return entry !== undefined && entry.lateInRow >= this.#consecutive;
  }

  #extend(entry: Entry, until: number, why: Backoff['why']): void {
    if (until <= entry.until) return;
    entry.until = until;
    entry.why = why;
  }

  #entry(evidence: Evidence, trafficClass: TrafficClass): Entry {
    const own = this.#clients.get(evidence.client) ?? new Map<string, Entry>();
    renew(this.#clients, evidence.client, own, MAX_CLIENTS);
    const key = keyOf(evidence, trafficClass);
    const entry = own.get(key) ?? { until: 0, why: 'late', lateInRow: 0, lastMs: 0 };
    renew(own, key, entry, MAX_PER_CLIENT);
    return entry;
  }
}

function keyOf({ repository }: Evidence, trafficClass: TrafficClass): string {
  return `${trafficClass} ${repository}`;
}

/** Puts the entry last, and drops the first ones if there are too many. */
function renew<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= max) break;
    map.delete(oldest);
  }
}
