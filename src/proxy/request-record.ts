import type { DigestVerdict } from '../digest/digest-check.ts';
import type { Failure } from '../failover/classify.ts';
import type { Verdict as TagVerdict } from '../failover/tag-history.ts';
import type { TrafficClass } from '../failover/view.ts';
import type { Hint } from '../replication/hint.ts';

/** One request to one upstream URL. */
export interface AttemptRecord {
  upstream: string;
  url: string;
  class: TrafficClass;
  outcome: 'served' | 'absent' | 'refused' | 'failed' | 'aborted';
  reason?: Failure;
  /** What happened, in words; never a credential. */
  detail?: string;
  status?: number;
  /** Milliseconds from the start of the attempt to its outcome. */
  ms: number;
}

/** Attempts that were started beside one that was late. */
export interface HedgeCounts {
  started: number;
  /** Their answer was the first good one. */
  won: number;
  /** Not started, because the budget was spent. */
  refused: number;
}

/** One change of upstream in the middle of a body. */
export interface SpliceRecord {
  from: string;
  /** Undefined: nobody could go on. */
  to?: string;
  reason: Failure;
  /** Place in the blob. */
  at: number;
  /** Milliseconds from the trouble to the first byte of who goes on. */
  ms: number;
}

/** What the ledger had to say of a tag that did not come from the upstream whose word counts. */
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
  /** Who asked, where the edge itself asks who clients are. */
  user?: string;
  /** A token was given while the authority could not be asked: on its word of before, or to a break-glass user. */
  grant?: 'remembered' | 'break-glass';
  /** What that token opens, as scopes. */
  granted?: string;
  /** Prefix of the route that was taken. */
  route?: string;
  /** Upstream whose answer was relayed. */
  upstream?: string;
  /** Upstream that would have been asked first were everything well. */
  preferred?: string;
  attempts: AttemptRecord[];
  /** The attempts were made for another request too, which counts them. */
  coalesced?: boolean;
  /** Answered without asking any upstream. */
  memory?: boolean;
  /** What the ledger had to say of the tag. */
  tag?: TagNote;
  /** What it told of changes that copies are to follow; how many. A hook's `repository` and `reference` are those of the first, in the push upstream's names. */
  hints?: { from: Hint['from']; push: number; delete: number };
  /** What the digest of a blob said that was computed beside its transfer. */
  verified?: DigestVerdict;
  hedges: HedgeCounts;
  splices: SpliceRecord[];
  status: number;
  /** Error code of the reply, if it was one of the edge's own. */
  code?: string;
  outcome: 'served' | 'fallback' | 'absent' | 'refused' | 'failed' | 'aborted' | 'cut' | 'invalid';
  /** In words, why the reply is what it is, when it is not simply served. */
  detail?: string;
  bytesIn: number;
  bytesOut: number;
  /** Epoch milliseconds. */
  startedAt: number;
  /** Milliseconds to the first byte of the reply. */
  firstByteMs: number;
  totalMs: number;
}

/** Takes finished requests; metrics and the ring of failovers implement it. */
export interface Observer {
  record(request: RequestRecord): void;
}
