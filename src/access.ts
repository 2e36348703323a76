import type { AccessMemory } from './auth/access-memory.ts';
import { AccessRules } from './auth/access-rules.ts';
import { DELEGATED, type DelegatedPlace, DelegatedTokens } from './auth/delegated-tokens.ts';
import { Guard } from './auth/guard.ts';
import { LocalAuthority } from './auth/local-authority.ts';
import { LocalTokens } from './auth/local-tokens.ts';
import { Networks } from './auth/networks.ts';
import { Passwords } from './auth/passwords.ts';
import { TokenBox } from './auth/token-box.ts';
import type { Loaded } from './config/load.ts';
import { findRoute, type Route, toUpstream } from './failover/rewrite.ts';
import type { Access } from './proxy/access.ts';
import { placeOf } from './proxy/authorize.ts';
import type { Upstream } from './upstream/upstream.ts';

export interface AccessParts {
  routes: readonly Route[];
  upstreams: ReadonlyMap<string, Upstream>;
  memory: AccessMemory;
}

/** Wires what `auth` says; undefined for `auth.mode: open`. */
export function accessOf(loaded: Loaded, parts: AccessParts): Access | undefined {
  const { mode } = loaded.config.auth;
  if (mode === 'open') return undefined;
  return mode === 'htpasswd' ? localAccess(loaded, parts) : delegatedAccess(loaded, parts);
}

function localAccess({ config, material }: Loaded, { routes, memory }: AccessParts): Access {
  const { failures } = memory;
  const { auth, hostname: service } = config;
  const rules = new AccessRules(auth.access, auth.groups);
  const authority = new LocalAuthority(new Passwords(material.passwords?.users ?? new Map()), rules);
  const box = new TokenBox(memory.secretsWith(material.keys));
  const places = (repository: string) => placesOf(routes, undefined, repository);
  const lifetimes = { lifetime: auth.tokenLifetime, refreshLifetime: auth.refreshLifetime };
  return {
    guard: new Guard(authority, box, service),
    tokens: new LocalTokens({ authority, box, failures, service, places, ...lifetimes }),
    anonymous: new Networks(auth.anonymous),
    service,
    authority: undefined,
    may: (user, place, action) => authority.may(user, place, action),
  };
}

function delegatedAccess({ config, material }: Loaded, { routes, upstreams, memory }: AccessParts): Access {
  const { failures, grants } = memory;
  const { auth, hostname: service } = config;
  const name = Object.keys(config.upstreams).find((one) => config.upstreams[one]?.credentials === 'forward');
  const authority = upstreams.get(name ?? '');
  if (name === undefined || !authority) throw new Error('auth.mode delegate without an upstream that decides');
  const box = new TokenBox(memory.secretsWith(material.keys));
  // What a token opens was the authority's to say when it was made; it says so again at each request that reaches it.
  const standing = { basis: () => DELEGATED, may: () => true };
  return {
    guard: new Guard(standing, box, service),
    tokens: new DelegatedTokens({
      ask: (basic, scopes) => authority.askForUser(basic, scopes, auth.realmHosts),
      grants,
      box,
      failures,
      service,
      places: (repository) => placesOf(routes, name, repository),
      lifetime: auth.tokenLifetime,
      refreshLifetime: auth.refreshLifetime,
    }),
    anonymous: new Networks(auth.anonymous),
    service,
    authority: name,
    may: standing.may,
  };
}

/** A scope names no registry: every repository of that name that a route leads to. @param authority upstream that decides */
function placesOf(routes: readonly Route[], authority: string | undefined, repository: string): DelegatedPlace[] {
  const registries = [...new Set(routes.map(({ registry }) => registry))];
  return registries.flatMap((registry) => {
    const route = findRoute(routes, registry, repository);
    if (!route) return [];
    const candidate = [route.push ?? [], ...route.pull].flat().find(({ upstream }) => upstream === authority);
    const onAuthority = candidate && toUpstream(route, candidate, repository);
    return [{ ...placeOf(registry, repository, route), onAuthority }];
  });
}
