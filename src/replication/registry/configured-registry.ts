import type { Secrets } from '../../config/material.ts';
import { replicationCredentials, replicationPassword } from '../../config/replication-user.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import { Connection } from '../../upstream/connection.ts';
import type { Network } from '../../upstream/streams.ts';
import { RemoteRegistry } from './remote-registry.ts';
import { RetryPolicy } from './retry-policy.ts';

/** Opens a configured upstream at one of its URLs with the credentials for replication. The caller closes the connection. */
export function configuredRegistry(
  name: string,
  url: string,
  upstream: UpstreamConfig,
  material: Secrets,
  network: Network,
  retryPolicy = new RetryPolicy(),
): RemoteRegistry {
  const secrets = { ca: material.ca, password: replicationPassword(upstream, material), folder: material.folder };
  const config = { ...upstream, credentials: replicationCredentials(upstream) };
  return new RemoteRegistry(name, new Connection(url, config, secrets, network), retryPolicy);
}
