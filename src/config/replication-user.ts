import type { Secrets } from './material.ts';
import type { CredentialsConfig, UpstreamConfig } from './schema.ts';

type Own = Exclude<CredentialsConfig, string>;

/**
 * The credentials for copies at an upstream: those of `replication`, else the upstream's, else the probe's. Credentials of clients are
 * never used.
 */
export function replicationCredentials({ replication, credentials, probe }: UpstreamConfig): Own | 'none' {
  if (replication.credentials !== undefined) return replication.credentials;
  if (typeof credentials === 'object') return credentials;
  return typeof probe.credentials === 'object' ? probe.credentials : 'none';
}

/** Their password; undefined: copies use no credentials. */
export function replicationPassword(upstream: UpstreamConfig, secrets: Secrets): string | undefined {
  if (replicationCredentials(upstream) === 'none') return undefined;
  // A password was read for exactly those credentials that are set.
  return secrets.replicationPassword ?? secrets.password ?? secrets.probePassword;
}

/**
 * Whose credentials read what was pushed to an upstream, to find out whether it has lost content. Those of the probe may open no more than the
 * canary, so they come last. Undefined: there are none, because only clients bring credentials.
 */
export function contentReader({
  replication,
  credentials,
  probe,
}: UpstreamConfig): 'own' | 'replication' | 'probe' | undefined {
  if (credentials !== 'forward') return 'own';
  if (replication.credentials !== undefined) return 'replication';
  return typeof probe.credentials === 'object' ? 'probe' : undefined;
}
