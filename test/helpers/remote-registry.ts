import { upstreamSchema } from '../../src/config/upstream-schema.ts';
import { RemoteRegistry } from '../../src/replication/registry/remote-registry.ts';
import { RetryPolicy } from '../../src/replication/registry/retry-policy.ts';
import { Connection } from '../../src/upstream/connection.ts';
import { BufferPool } from '../../src/upstream/reader/buffer-pool.ts';
import { Resolver } from '../../src/upstream/resolver.ts';
import type { Owner } from './temporary-folder.ts';
import { timeLimit } from './time-limit.ts';
import { scaleUpstream } from './upstream-times.ts';

export interface RemoteOptions {
  credentials?: { username: string; password: string };
  /** Default: registry. */
  kind?: 'registry' | 'harbor';
  /** Milliseconds of the first pause after a failure. Default 1. */
  pause?: number;
  /** Milliseconds in which something is tried again. Default 5000. */
  limit?: number;
}

/** A registry as copying sees it. */
export function remoteRegistry(owner: Owner, name: string, url: string, options: RemoteOptions = {}): RemoteRegistry {
  const { credentials, kind = 'registry', pause: firstPauseMs = 1, limit = 5000 } = options;
  const config = upstreamSchema.parse(
    scaleUpstream({
      urls: [url],
      probe: { kind },
      ...(credentials ? { credentials: { username: credentials.username, passwordFile: 'x' } } : {}),
    }),
  );
  const secrets = credentials ? { password: credentials.password } : {};
  const connection = new Connection(url, config, secrets, { resolver: new Resolver(), pool: new BufferPool() });
  owner.teardown(() => connection.close());
  return new RemoteRegistry(
    name,
    connection,
    new RetryPolicy({ firstPauseMs, longestPauseMs: 50, limitMs: timeLimit(limit) }),
  );
}
