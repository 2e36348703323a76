import type { AccessMemory } from '../auth/access-memory.ts';
import { AccessRules } from '../auth/access-rules.ts';
import { AuthorityMark } from '../auth/authority-mark.ts';
import { BreakGlassTokens } from '../auth/break-glass-tokens.ts';
import { DelegatedStanding } from '../auth/delegated-standing.ts';
import { DelegatedTokens } from '../auth/delegated-tokens.ts';
import { Guard } from '../auth/guard.ts';
import { LocalAuthority } from '../auth/local-authority.ts';
import { LocalTokens } from '../auth/local-tokens.ts';
import { Passwords } from '../auth/passwords.ts';
import type { DelegatedPlace } from '../auth/place.ts';
import { TokenBox } from '../auth/token-box.ts';
import type { PasswordHashes } from '../config/htpasswd.ts';
import type { Loaded } from '../config/load.ts';
import { Networks } from '../config/network.ts';
import { findRoute, type Route } from '../failover/rewrite.ts';
import type { Access } from '../proxy/request/access.ts';
import { placeOf } from '../proxy/request/repository-key.ts';
import { registryIdentity, type Upstream } from '../upstream/upstream.ts';

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
  const authority = localAuthority(auth, material.passwords?.users ?? new Map());
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
  const users = material.passwords && localAuthority(auth, material.passwords.users);
  const urls = config.upstreams[name]?.urls ?? [];
  const mark = new AuthorityMark(urls);
  const standing = new DelegatedStanding({ authority: mark, breakGlass: users, silent: () => authority.users.silent });
  const places = (repository: string) => placesOf(routes, name, repository);
  const shared = { box, failures, service, places, lifetime: auth.tokenLifetime };
  const tokens = new DelegatedTokens({
    ask: (basic, scopes) => authority.users.ask(basic, scopes, auth.realmHosts),
    authority: registryIdentity(urls),
    mark,
    grants,
    refreshLifetime: auth.refreshLifetime,
    ...shared,
  });
  const reach = () => authority.users.reach(auth.realmHosts);
  return {
    guard: new Guard(standing, box, service),
    tokens: users ? new BreakGlassTokens({ others: tokens, users, reach, authority: name, ...shared }) : tokens,
    anonymous: new Networks(auth.anonymous),
    service,
    authority: name,
    may: (user, place, action) => standing.may(user, place, action),
  };
}

function localAuthority({ access, groups }: Loaded['config']['auth'], users: PasswordHashes): LocalAuthority {
  return new LocalAuthority(new Passwords(users), new AccessRules(access, groups));
}

/** A scope names no registry: every repository of that name that a route leads to. @param authority upstream that decides */
function placesOf(routes: readonly Route[], authority: string | undefined, repository: string): DelegatedPlace[] {
  const registries = [...new Set(routes.map(({ registry }) => registry))];
  return registries.flatMap((registry) => {
    const route = findRoute(routes, registry, repository);
    return route ? [placeOf(registry, repository, route, authority)] : [];
  });
}
