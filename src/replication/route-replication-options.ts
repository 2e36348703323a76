import type { Config } from '../config/schema.ts';
import type { Route } from '../failover/rewrite.ts';
import type { CanaryState, UpstreamView } from '../failover/view.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { PulledLog } from './coverage/pulled-log.ts';
import type { RemoteRegistry } from './registry/remote-registry.ts';
import type { TaskQueue } from './task-queue.ts';

export interface RouteReplicationOptions {
  routes: readonly Route[];
  config: Config['replication'];
  registry: (upstream: string) => RemoteRegistry;
  view: (upstream: string) => UpstreamView;
  /** Whether the upstream sees its storage now, at that URL of it. */
  confirmCanary: (registry: RemoteRegistry) => Promise<CanaryState>;
  ledger: Ledger;
  /** What clients pulled. */
  pulls: Pick<PulledLog, 'within'>;
  tasks: TaskQueue;
  onReconcile: (route: string, outcome: string, failed: boolean) => void;
  random?: () => number;
}
