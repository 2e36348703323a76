import type { Secrets } from '../../config/material.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import type { CredentialRole } from '../../failover/credentials.ts';
import type { Resolver } from '../resolver.ts';
import type { CredentialSources, HeldUser } from './credential-sources.ts';
import { nameOf } from './own-user.ts';

/** The accounts of the edge's own that the configuration of an upstream names. The caller releases them. */
export function holdUsers(
  { urls, credentials, probe, replication }: UpstreamConfig,
  { password, probePassword, replicationPassword, folder }: Secrets,
  sources: CredentialSources,
  resolver: Pick<Resolver, 'lookup'>,
): Partial<Record<CredentialRole, HeldUser>> {
  const at = { urls, folder, resolver, probeMs: probe.timeout };
  const own = sources.hold(credentials, { ...at, password });
  const ofProbe = sources.hold(probe.credentials, { ...at, password: probePassword });
  const ofCopies = sources.hold(replication.credentials, { ...at, password: replicationPassword });
  return {
    ...(own && { own }),
    ...(ofProbe && { probe: ofProbe }),
    ...(ofCopies && { replication: ofCopies }),
  };
}

/** The roles of these accounts, and how they are called. */
export function configuredAccounts({ credentials, probe, replication }: UpstreamConfig): Map<CredentialRole, string> {
  const names: [CredentialRole, string | undefined][] = [
    ['own', nameOf(credentials)],
    ['probe', nameOf(probe.credentials)],
    ['replication', nameOf(replication.credentials)],
  ];
  return new Map(names.flatMap(([role, name]) => (name === undefined ? [] : [[role, name]])));
}
