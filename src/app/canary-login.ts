import type { Material } from '../config/material.ts';
import type { Config } from '../config/schema.ts';
import type { CanaryLogin } from '../upstream/credentials/user-authority.ts';

/**
 * The login that shows whether the authority of `auth.mode: delegate` is well: that of `auth.canary`, or that of its probe.
 * @param name of the authority
 */
export function canaryLogin({ auth, upstreams }: Config, material: Material, name: string): CanaryLogin | undefined {
  const probe = upstreams[name]?.probe;
  const [login, password] =
    auth.canary === undefined
      ? [probe?.credentials, material.upstreams[name]?.probePassword]
      : [auth.canary, material.canaryPassword];
  // A login that is renewed by itself would be another one at each question.
  if (typeof login !== 'object' || !('passwordFile' in login)) return undefined;
  const image = auth.canary === undefined ? probe?.canary?.replace(/(@[^/]*|:[^/:]*)$/, '') : undefined;
  const scopes = image === undefined ? [] : [{ type: 'repository', name: image, actions: ['pull'] }];
  const realmHosts = [...auth.realmHosts, ...login.realmHosts];
  return { username: login.username, password: password ?? '', realmHosts, scopes };
}
