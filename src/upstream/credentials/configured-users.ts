import type { Secrets } from '../../config/material.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import type { CredentialRole } from '../../failover/credentials.ts';
import { type StaticUser, staticUser } from './authorizer.ts';

/** The accounts of the edge's own that the configuration of an upstream names. */
export function configuredUsers(
  { credentials, probe, replication }: UpstreamConfig,
  { password, probePassword, replicationPassword }: Secrets,
): { role: CredentialRole; user: StaticUser }[] {
  const roles: [CredentialRole, StaticUser | undefined][] = [
    ['own', staticUser(credentials, password)],
    ['probe', probe.credentials && staticUser(probe.credentials, probePassword)],
    ['replication', replication.credentials && staticUser(replication.credentials, replicationPassword)],
  ];
  return roles.flatMap(([role, user]) => (user ? [{ role, user }] : []));
}
