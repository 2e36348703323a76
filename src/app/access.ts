import type { Logger } from 'pino';
import type { AccessMemory } from '../auth/access-memory.ts';
import { AccessRules } from '../auth/access-rules.ts';
import { AuthorityFingerprint } from '../auth/authority-fingerprint.ts';
import { BreakGlassTokenIssuer } from '../auth/break-glass-token-issuer.ts';
import { DelegatedAccessPolicy } from '../auth/delegated-access-policy.ts';
import { DelegatedTokenIssuer } from '../auth/delegated-token-issuer.ts';
import { Guard } from '../auth/guard.ts';
import { JwtIssuers } from '../auth/jwt-issuers.ts';
import { LocalAuthority } from '../auth/local-authority.ts';
import { LocalTokenIssuer } from '../auth/local-token-issuer.ts';
import { Passwords } from '../auth/passwords.ts';
import type { DelegatedRepositoryKey } from '../auth/repository-key.ts';
import { TokenSealer } from '../auth/token-sealer.ts';
import { ACTIONS } from '../config/access-rule.ts';
import { isBreakGlassName, type PasswordHashes } from '../config/htpasswd.ts';
import type { Loaded } from '../config/load.ts';
import { NetworkSet } from '../config/network.ts';
import { findRoute, type Route } from '../failover/rewrite.ts';
import type { Access } from '../proxy/request/access.ts';
import { repositoryKeyOf } from '../proxy/request/repository-names.ts';
import { fetchKeySet, IssuerKeys } from '../upstream/credentials/issuer-keys.ts';
import type { Resolver } from '../upstream/resolver.ts';
import { registryIdentity, type Upstream } from '../upstream/upstream.ts';
import { canaryLogin } from './canary-login.ts';

export interface AccessParts {
  routes: readonly Route[];
  upstreams: ReadonlyMap<string, Upstream>;
  memory: AccessMemory;
  resolver: Resolver;
  log: Logger;
  /** Resolves when the other edges have heard what has changed, or soon after. */
  tellPeers: () => Promise<void>;
}

/** Wires access control as `auth` says. Undefined for `auth.mode: open`. */
export function accessOf(loaded: Loaded, parts: AccessParts): Access | undefined {
  const { mode } = loaded.config.auth;
  if (mode === 'open') return undefined;
  return mode === 'htpasswd' ? localAccess(loaded, parts) : delegatedAccess(loaded, parts);
}

function localAccess({ config, material }: Loaded, { routes, memory }: AccessParts): Access {
  const { failures } = memory;
  const { auth, hostname: service } = config;
  const authority = localAuthority(auth, material.passwords?.users ?? new Map());
  const sealer = new TokenSealer(memory.secretsWith(material.keys));
  const repositoryKeys = (repository: string) => repositoryKeysOf(routes, undefined, repository);
  const lifetimes = { lifetime: auth.tokenLifetime, refreshLifetime: auth.refreshLifetime };
  return {
    guard: new Guard(authority, sealer, service),
    tokens: new LocalTokenIssuer({ authority, sealer, failures, service, repositoryKeys, ...lifetimes }),
    anonymous: new NetworkSet(auth.anonymous),
    service,
    authority: undefined,
    may: (user, place, action) => authority.allows(user, place, action),
    rightsOf: (user, key) => ({
      by: 'rules',
      exists: authority.passwords.basis(user) !== undefined,
      actions: ACTIONS.filter((action) => authority.allows(user, key, action)),
    }),
  };
}

function delegatedAccess(loaded: Loaded, parts: AccessParts): Access {
  const { routes, upstreams, memory, tellPeers } = parts;
  const { config, material } = loaded;
  const { failures, grants } = memory;
  const { auth, hostname: service } = config;
  const name = Object.keys(config.upstreams).find((one) => config.upstreams[one]?.credentials === 'forward');
  const authority = upstreams.get(name ?? '');
  if (name === undefined || !authority) throw new Error('auth.mode delegate without an upstream that decides');
  const sealer = new TokenSealer(memory.secretsWith(material.keys));
  const users = material.passwords && localAuthority(auth, material.passwords.users);
  const urls = config.upstreams[name]?.urls ?? [];
  const fingerprint = new AuthorityFingerprint(urls);
  const policy = new DelegatedAccessPolicy({
    authority: fingerprint,
    breakGlass: users,
    isUnreachable: () => authority.userAuthority.unavailable,
  });
  const repositoryKeys = (repository: string) => repositoryKeysOf(routes, name, repository);
  const shared = { sealer, failures, service, repositoryKeys, lifetime: auth.tokenLifetime };
  const jwts = jwtIssuersOf(loaded, parts);
  const tokens = new DelegatedTokenIssuer({
    jwts,
    askAuthority: (basic, scopes) => authority.userAuthority.ask(basic, scopes, auth.realmHosts),
    isShown: (authorization, repository) => authority.userAuthority.isShown(authorization, repository),
    evidence: authority.userAuthority,
    authority: registryIdentity(urls),
    fingerprint,
    grants,
    tellPeers,
    refreshLifetime: auth.refreshLifetime,
    ...shared,
  });
  authority.userAuthority.useCanary(canaryLogin(config, material, name));
  const pingAuthority = () => authority.userAuthority.checkReachable(auth.realmHosts);
  return {
    guard: new Guard(policy, sealer, service),
    tokens: users
      ? new BreakGlassTokenIssuer({ authorityIssuer: tokens, users, pingAuthority, authority: name, ...shared })
      : tokens,
    takesJwt: auth.issuers.length > 0 ? (token) => jwts.claims(token) : undefined,
    anonymous: new NetworkSet(auth.anonymous),
    service,
    authority: name,
    may: (user, place, action) => policy.allows(user, place, action),
    rightsOf: (user, key) => {
      const isReachable = !authority.userAuthority.unavailable;
      if (users && isBreakGlassName(user)) {
        const mayPull = key.authorityName !== undefined && users.allows(user, key, 'pull');
        const exists = users.passwords.basis(user) !== undefined;
        return { by: 'break-glass', exists, mayPull, authority: name, isReachable };
      }
      return { by: 'authority', authority: name, isReachable, ...tokens.remembered(user, key.authorityName) };
    },
  };
}

/** The issuers of `auth.issuers`. Their keys are fetched now, because they are needed when the authority is down. */
function jwtIssuersOf({ config, material }: Loaded, { memory, resolver, log }: AccessParts): JwtIssuers {
  const { issuers } = config.auth;
  const makers = issuers.map(({ issuer, jwks }, index): [string, () => IssuerKeys] => {
    const ca = material.issuerCas?.[index];
    const onChange = (detail: string | undefined) =>
      detail === undefined
        ? log.info({ issuer }, 'the keys of the issuer can be fetched again')
        : log.warn({ issuer, jwks, detail }, 'the keys of the issuer cannot be fetched; known ones stay in use');
    const make = () => new IssuerKeys({ fetch: () => fetchKeySet(new URL(jwks), ca, resolver), onChange });
    return [JSON.stringify([issuer, jwks, ca]), make];
  });
  const keys = memory.keysOf(new Map(makers));
  return new JwtIssuers(
    issuers.flatMap(({ issuer, audience }, index) => {
      const its = keys[index];
      its?.prefetch();
      return its ? [{ issuer, audience: [audience].flat(), keys: its }] : [];
    }),
  );
}

function localAuthority({ access, groups }: Loaded['config']['auth'], users: PasswordHashes): LocalAuthority {
  return new LocalAuthority(new Passwords(users), new AccessRules(access, groups));
}

/**
 * Every repository of that name that a route leads to, because a scope names no registry.
 * @param authority the upstream that decides
 */
function repositoryKeysOf(
  routes: readonly Route[],
  authority: string | undefined,
  repository: string,
): DelegatedRepositoryKey[] {
  const registries = [...new Set(routes.map(({ registry }) => registry))];
  return registries.flatMap((registry) => {
    const route = findRoute(routes, registry, repository);
    return route ? [repositoryKeyOf(routes, authority, registry, repository)] : [];
  });
}
