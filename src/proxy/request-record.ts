import type { DigestVerdict } from '../digest/digest-check.ts';
import type { Failure } from '../failover/classify.ts';
import type { TagVerdict } from '../failover/tag-history.ts';
import type { TrafficClass } from '../failover/view.ts';
import type { Hint } from '../replication/hint.ts';

/** One request to one upstream URL. */
export interface AttemptRecord {
  upstream: string;
  url: string;
  class: TrafficClass;
  outcome: 'served' | 'absent' | 'refused' | 'failed' | 'aborted';
  reason?: Failure;
  /** What happened, in words. Never a credential. */
  detail?: string;
  status?: number;
  /** Milliseconds from the start of the attempt to its outcome. */
  ms: number;
  /** Reads of one reply that went the same way, if there are several. `ms` is that of the slowest. */
  reads?: number;
}

/** Adds the attempts of one of several reads. Attempts that went the same way share a record, so that their number is bounded. */
export function addReads(records: AttemptRecord[], reads: readonly AttemptRecord[]): void {
  for (const read of reads) {
    const { url, outcome, reason, status } = read;
    const same = records.find(
      (one) => one.url === url && one.outcome === outcome && one.reason === reason && one.status === status,
    );
    if (!same) records.push(read);
    else Object.assign(same, { reads: (same.reads ?? 1) + 1, ms: Math.max(same.ms, read.ms) });
  }
}

/** Attempts that were started beside one that was late. */
export interface HedgeCounts {
  started: number;
  /** Their answer was the first good one. */
  won: number;
  /** Not started, because the hedge budget was spent. */
  refused: number;
}

/** One resume on another upstream in the middle of a body. */
export interface SpliceRecord {
  from: string;
  /** Undefined: no upstream could resume. */
  to?: string;
  reason: Failure;
  /** Offset in the blob. */
  at: number;
  /** Milliseconds from the failure to the first byte of the upstream that resumed. */
  ms: number;
}

/** The ledger's verdict on a tag that did not come from its authoritative upstream. */
export interface TagNote {
  verdict: TagVerdict;
  action: 'served' | 'warned' | 'replaced' | 'refused';
  /** For the operator and the Warning header. */
  text?: string;
}

/** One client request from its first byte to its last; the source of the log line and of the metrics. */
export interface RequestRecord {
  id: string;
  method: string;
  protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2.0';
  /** Address of the client. */
  client: string;
  kind:
    | 'ping'
    | 'manifest'
    | 'blob'
    | 'upload'
    | 'tags'
    | 'referrers'
    | 'catalog'
    | 'token'
    | 'download'
    | 'hook'
    | 'passthrough'
    | 'invalid';
  repository?: string;
  reference?: string;
  /** Of the manifest that was pushed. */
  digest?: string;
  /** The user, if the edge itself checks who clients are. */
  user?: string;
  /** The name of a login or a token that the edge itself has not found to be good. */
  tried?: string;
  /** The beginning of `User-Agent`. */
  agent?: string;
  /** The trace id of `traceparent`. */
  trace?: string;
  /** A token was issued while the authority was unreachable: by remembered rights, or to a break-glass user. */
  grant?: 'remembered' | 'break-glass';
  /** The scopes of that token. */
  granted?: string;
  /** Prefix of the route. */
  route?: string;
  /** Upstream whose answer was relayed. */
  upstream?: string;
  /** The upstream that is asked first while everything is well. */
  preferred?: string;
  attempts: AttemptRecord[];
  /** The attempts were made for several requests, and another one counts them. */
  coalesced?: boolean;
  /** Answered without asking any upstream. */
  memory?: boolean;
  /** The ledger's verdict on the tag. */
  tag?: TagNote;
  /**
   * The number of changes that the request told of, for replication to copy. A hook's `repository` and `reference`
   * are those of its first change, in the push upstream's names.
   */
  hints?: { from: Hint['from']; push: number; delete: number };
  /** The result of the digest check that ran during the transfer of a blob. */
  verified?: DigestVerdict;
  /** Parts of a blob in the reply, if the client asked for several ranges. */
  parts?: number;
  hedges: HedgeCounts;
  splices: SpliceRecord[];
  status: number;
  /** The error code of the reply, if the edge itself made the error. */
  code?: string;
  outcome: 'served' | 'fallback' | 'absent' | 'refused' | 'failed' | 'aborted' | 'cut' | 'invalid';
  /** In words, why the reply is not a plain success of the preferred upstream. */
  detail?: string;
  bytesIn: number;
  bytesOut: number;
  /** Monotonic milliseconds. */
  startedAt: number;
  /** Milliseconds to the first byte of the reply. */
  firstByteMs: number;
  totalMs: number;
}

/** Gets the record of each request that has ended. Metrics and the ring of failovers implement it. */
export interface Observer {
  record(request: RequestRecord): void;
}
