import type { Material } from './material.ts';
import type { CredentialsConfig, UpstreamConfig } from './schema.ts';

type Static = Exclude<CredentialsConfig, string>;

/**
 * The credentials for copies at an upstream: those of `replication`, else the upstream's, else the probe's. Credentials of clients are
 * never used.
 */
export function replicationCredentials({ replication, credentials, probe }: UpstreamConfig): Static | 'none' {
  if (replication.credentials !== undefined) return replication.credentials;
  if (typeof credentials === 'object') return credentials;
  return typeof probe.credentials === 'object' ? probe.credentials : 'none';
}

/** The same with the password; undefined: copies use no credentials. */
export function replicationUser(
  upstream: UpstreamConfig,
  secrets: Material['upstreams'][string],
): { username: string; password: string; realmHosts: readonly string[] } | undefined {
  const used = replicationCredentials(upstream);
  if (used === 'none') return undefined;
  const password =
    used === upstream.replication.credentials
      ? secrets.replicationPassword
      : used === upstream.credentials
        ? secrets.password
        : secrets.probePassword;
  if (password === undefined) throw new Error('the password for replication was not read');
  return { username: used.username, password, realmHosts: used.realmHosts };
}
