import { LRUCache } from 'lru-cache';
import { isoTime } from '../clock/clock.ts';
import type { Observer, RequestRecord } from '../proxy/request-record.ts';
import { type Failover, failoverOf } from './failover.ts';

/** Failovers of one repository between two upstreams for one reason. */
export interface FailoverEntry extends Failover {
  /** Time of the last one, ISO 8601. */
  at: string;
  /** Name that clients use; empty for requests without a repository. */
  repository: string;
  /** Prefix of the route. */
  route: string;
  /** How often this failover happened since its entry was made. */
  count: number;
}

/** The last failovers, newest first. Equal failovers share an entry, so that an outage does not push older entries out. */
export class FailoverRing implements Observer {
  /** The time of an entry becomes text only when an operator looks, because an outage brings many failovers at once. */
  readonly #entries: LRUCache<string, Omit<FailoverEntry, 'at'> & { at: number }>;

  constructor(size = 50) {
    this.#entries = new LRUCache({ maxSize: size, sizeCalculation: () => 1 });
  }

  record(request: RequestRecord): void {
    const failover = failoverOf(request);
    if (!failover) return;
    const { from, to, reason } = failover;
    const { repository = '', route = '' } = request;
    const key = [repository, route, from, to, reason].join('\n');
    const count = (this.#entries.peek(key)?.count ?? 0) + 1;
    const at = request.startedAt + request.firstByteMs;
    this.#entries.set(key, { at, repository, route, ...failover, count });
  }

  list(): FailoverEntry[] {
    return [...this.#entries.values()].map((entry) => ({ ...entry, at: isoTime(entry.at) }));
  }
}
