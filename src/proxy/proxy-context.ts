import type { Logger } from 'pino';
import type { NetworkSet } from '../config/network.ts';
import type { Config } from '../config/schema.ts';
import type { CopyIntegrity } from '../digest/copy-integrity.ts';
import type { Hasher } from '../digest/hasher.ts';
import type { Route } from '../failover/rewrite.ts';
import type { Unheard } from '../failover/unheard.ts';
import type { UpstreamView } from '../failover/view.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { PulledLog } from '../replication/coverage/pulled-log.ts';
import type { Replicator } from '../replication/replicator.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Hooks } from './endpoints/hook-gate.ts';
import type { BlobCopy } from './pull/attempt-result.ts';
import type { ManifestCache } from './pull/manifest-cache.ts';
import type { ManifestRead } from './pull/pull-plan.ts';
import type { RequestCoalescer } from './pull/request-coalescer.ts';
import type { ShownRepositories } from './pull/shown-repositories.ts';
import type { TagLooks } from './pull/tag-looks.ts';
import type { Forwarder } from './push/forwarder.ts';
import type { Access } from './request/access.ts';
import type { Sealer } from './request/sealer.ts';
import type { Observer } from './request-record.ts';

/** Checks corrupt copies again. */
export interface CopyScrubber {
  /** @param everyMs milliseconds until it is read again */
  note(place: BlobCopy, everyMs: number): void;
}

/** What the stages of a request need: one configuration at work. A reload makes a new one. */
export interface ProxyContext {
  config: Config;
  routes: readonly Route[];
  upstreams: ReadonlyMap<string, Upstream>;
  /** The state of every upstream at the time of the call. */
  views(): ReadonlyMap<string, UpstreamView>;
  ledger: Ledger;
  /** Tells the other edges what has changed, and resolves when those in step have heard, within 100 ms. Called before the reply. */
  tellPeers(): Promise<void>;
  /** Times in which other edges may have acknowledged writes of which this edge has not heard. */
  unheard(): Unheard[];
  manifestCache: ManifestCache;
  /** Reads of manifests that several clients wait for. */
  coalescer: RequestCoalescer<ManifestRead>;
  /** The edge's own looks at tags. */
  looks: TagLooks;
  /** What upstreams have just shown to clients with credentials of their own. */
  shown: ShownRepositories;
  hasher: Hasher;
  copies: CopyIntegrity;
  scrubber: CopyScrubber;
  sealer: Sealer;
  forwarder: Forwarder;
  /** Undefined: `auth.mode: open`. */
  access: Access | undefined;
  /** Load balancers whose word on the client's address counts. */
  trustedProxies: NetworkSet | undefined;
  /** Undefined: the edge refuses hooks. */
  hooks: Hooks | undefined;
  /** Undefined: replication is off. */
  hints: Pick<Replicator, 'enqueueHints'> | undefined;
  /** Remembers what clients pulled. */
  pulls: Pick<PulledLog, 'record'>;
  observer: Observer;
  log: Logger;
  /** Logger for the line of each request. It does not search for secrets, because a record has none. */
  requests: Logger;
  /** Lines about who did what; see `AuditLine`. */
  audit: Logger;
  /** Host names that mean the edge itself, in lower case. */
  names: ReadonlySet<string>;
  /** A number that grows with each call, so that URLs take turns. */
  turn(): number;
}

/** The part of the context that a stage uses. */
export type Uses<Part extends keyof ProxyContext> = Pick<ProxyContext, Part>;

/** The part that a pull uses to plan its attempts and to make them. */
export type PullContext = Uses<
  'access' | 'config' | 'copies' | 'ledger' | 'looks' | 'shown' | 'turn' | 'upstreams' | 'views'
>;

/** The part that puts an upstream's challenge into the client's names. */
export type ChallengeContext = Uses<'access' | 'routes' | 'sealer'>;
