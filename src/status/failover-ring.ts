import type { Observer, RequestRecord } from '../proxy/request-record.ts';
import { type FailoverReason, failoverOf } from './failover.ts';

/** Failovers of one repository between two upstreams for one reason. */
export interface FailoverEntry {
  /** Time of the last one, ISO 8601. */
  at: string;
  /** Name that clients use; empty for requests without a repository. */
  repository: string;
  /** Prefix of the route. */
  route: string;
  from: string;
  to: string;
  reason: FailoverReason;
  detail?: string;
  /** How often this failover happened since its entry was made. */
  count: number;
}

/** A stored entry. Its time becomes text only when an operator looks, because an outage brings many failovers at once. */
interface Entry extends Omit<FailoverEntry, 'at' | 'detail'> {
  /** Epoch milliseconds. */
  at: number;
  detail: string | undefined;
}

/** The last failovers, newest first. Equal failovers share an entry, so that an outage does not push older entries out. */
export class FailoverRing implements Observer {
  readonly #size: number;
  /** Ordered by `at`, oldest first. */
  readonly #entries = new Map<string, Entry>();

  constructor(size = 50) {
    this.#size = size;
  }

  record(request: RequestRecord): void {
    const failover = failoverOf(request);
    if (!failover) return;
    const { from, to, reason, detail } = failover;
    const { repository = '', route = '' } = request;
    const key = [repository, route, from, to, reason].join('\n');
    const count = (this.#entries.get(key)?.count ?? 0) + 1;
    const at = request.startedAt + request.firstByteMs;
    this.#entries.delete(key);
    this.#entries.set(key, { at, repository, route, from, to, reason, detail, count });
    if (this.#entries.size <= this.#size) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  list(): FailoverEntry[] {
    const newestFirst = [...this.#entries.values()].reverse();
    return newestFirst.map(({ at, detail, ...entry }) => ({
      at: new Date(at).toISOString(),
      ...entry,
      ...(detail === undefined ? {} : { detail }),
    }));
  }
}
