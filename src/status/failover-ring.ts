import type { Observer, RequestRecord } from '../proxy/request-record.ts';
import { type FailoverReason, failoverOf } from './failover.ts';

/** Pulls of one repository that another upstream than the preferred one answered, for one reason. */
export interface FailoverEntry {
  /** The last of them, ISO 8601. */
  at: string;
  /** As clients name it; empty for requests that name none. */
  repository: string;
  /** Prefix of the route. */
  route: string;
  from: string;
  to: string;
  reason: FailoverReason;
  detail?: string;
  /** How many there were since they first came up. */
  count: number;
}

/** As counted: many come at once in an outage, and few are ever looked at. */
interface Entry extends Omit<FailoverEntry, 'at' | 'detail'> {
  /** Epoch milliseconds. */
  at: number;
  detail: string | undefined;
}

/** The last failovers, newest first. Equal ones are counted as one entry: an outage must not push out what came before it. */
export class FailoverRing implements Observer {
  readonly #size: number;
  /** In the order of `at`, oldest first. */
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
