import { AccessRules } from './auth/access-rules.ts';
import type { FailureLimit } from './auth/failure-limit.ts';
import { Guard } from './auth/guard.ts';
import { LocalAuthority } from './auth/local-authority.ts';
import { Networks } from './auth/networks.ts';
import { Passwords } from './auth/passwords.ts';
import { TokenBox } from './auth/token-box.ts';
import { TokenService } from './auth/token-service.ts';
import type { Loaded } from './config/load.ts';
import { findRoute, type Route } from './failover/rewrite.ts';
import type { Access } from './proxy/access.ts';
import { placeOf } from './proxy/authorize.ts';

/** Wires what `auth` says; undefined for `auth.mode: open`. @param secret that seals tokens */
export function accessOf(
  { config, material }: Loaded,
  routes: readonly Route[],
  failures: FailureLimit,
  secret: Buffer,
): Access | undefined {
  const { auth, hostname } = config;
  if (auth.mode === 'open') return undefined;
  const rules = new AccessRules(auth.access, auth.groups);
  const authority = new LocalAuthority(new Passwords(material.passwords?.users ?? new Map()), rules);
  const box = new TokenBox([secret]);
  const registries = [...new Set(routes.map(({ registry }) => registry))];
  // A scope names no registry: what it opens is what it means in any of them, and each request is judged by its own.
  const places = (repository: string) =>
    registries.flatMap((registry) => {
      const route = findRoute(routes, registry, repository);
      return route ? [placeOf(registry, repository, route)] : [];
    });
  return {
    guard: new Guard(authority, box, hostname),
    tokens: new TokenService({
      authority,
      box,
      failures,
      service: hostname,
      places,
      lifetime: auth.tokenLifetime,
      refreshLifetime: auth.refreshLifetime,
    }),
    anonymous: new Networks(auth.anonymous),
    service: hostname,
    may: (user, place, action) => authority.may(user, place, action),
  };
}
