import type { Observer, RequestRecord } from '../proxy/record.ts';
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

/** The last failovers, newest first. Equal ones are counted as one entry: an outage must not push out what came before it. */
export class FailoverRing implements Observer {
  readonly #size: number;
  /** In the order of `at`, oldest first. */
  readonly #entries = new Map<string, FailoverEntry>();

  constructor(size = 50) {
    this.#size = size;
  }

  record(request: RequestRecord): void {
    const failover = failoverOf(request);
    if (!failover) return;
    const { from, to, reason, detail } = failover;
    const { repository = '', route = '' } = request;
    const key = JSON.stringify([repository, route, from, to, reason]);
    const count = (this.#entries.get(key)?.count ?? 0) + 1;
    const at = new Date(request.startedAt + request.firstByteMs).toISOString();
    this.#entries.delete(key);
    this.#entries.set(key, {
      at,
      repository,
      route,
      from,
      to,
      reason,
      ...(detail === undefined ? {} : { detail }),
      count,
    });
    if (this.#entries.size <= this.#size) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  list(): FailoverEntry[] {
    return [...this.#entries.values()].reverse();
  }
}
