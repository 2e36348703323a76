import { isLocalListener } from '../../config/network.ts';
import type { FallbackAddress } from './registry-address.ts';

/** An account of the edge at a registry. */
export interface Account {
  username: string;
  password: string;
}

/** How the edge logs in at a registry. A helper and the metadata server give credentials that end. */
export type RegistryLogin = Account | { helper: string } | { metadata: 'gcp' };

export type AuthMode = 'delegate' | 'htpasswd' | 'open';

/** Where the certificate of the edge comes from. `later`: the operator puts it there. */
export type CertificatePlan =
  | { from: 'ca' }
  | { from: 'files'; cert: string; key: string }
  | { from: 'acme'; directory: string | undefined; email: string | undefined; ca: string | undefined }
  | { from: 'later' };

/** Everything that a configuration is made from. */
export interface SitePlan {
  hostname: string;
  https: string;
  admin: string;
  auth: AuthMode;
  /** Hosts of the token service that users of the primary log in at, besides its own. */
  realmHosts: readonly string[];
  /** Repositories that the edge serves; empty: all. */
  prefix: string;
  primary: {
    url: string;
    kind: 'harbor' | 'registry';
    /** PEM. */
    ca: string | undefined;
    account: Account | undefined;
    canary: string;
  };
  fallback: FallbackAddress & {
    ca: string | undefined;
    account: RegistryLogin | undefined;
    realmHosts: readonly string[];
  };
  /** The first user of `auth.mode: htpasswd`. */
  user: Account | undefined;
  certificate: CertificatePlan;
}

/** Names of the files in the directory. */
export const FILES = {
  config: 'breakwater.yaml',
  key: 'edge.key',
  cert: 'tls.crt',
  certKey: 'tls.key',
  // As `breakwater cert` has them.
  ca: 'ca/ca.crt',
  caKey: 'ca/ca.key',
  acmeCa: 'acme-ca.crt',
  users: 'users.htpasswd',
  adminToken: 'admin.token',
  primaryCa: 'primary-ca.crt',
  primarySecret: 'primary.secret',
  fallbackCa: 'fallback-ca.crt',
  fallbackSecret: 'fallback.secret',
} as const;

/** Whether other machines can reach the admin listener, which then needs a token. */
export function needsAdminToken({ admin }: SitePlan): boolean {
  return !isLocalListener(admin);
}

/** The account whose name and password are in files. */
export function staticAccount(login: RegistryLogin | undefined): Account | undefined {
  return login && 'username' in login ? login : undefined;
}

/** The image that probes of the fallback read. It is the copy of the primary's canary, where the route has that. */
export function fallbackCanary({ prefix, primary, fallback }: SitePlan): string {
  const { canary } = primary;
  return fallback.prefix + (canary.startsWith(prefix) ? canary.slice(prefix.length) : 'canary:latest');
}
