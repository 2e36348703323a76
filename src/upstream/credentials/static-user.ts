import type { CredentialsConfig } from '../../config/schema.ts';
import type { StaticUser } from './authorizer.ts';

/** Whom credentials name; undefined: nobody in particular. @param password content of their file */
export function staticUser(credentials: CredentialsConfig, password: string | undefined): StaticUser | undefined {
  if (typeof credentials === 'string') return undefined;
  return { username: credentials.username, password: password ?? '', realmHosts: credentials.realmHosts };
}
