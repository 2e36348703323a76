import { breakGlassWarnings } from './break-glass-check.ts';
import type { KeyFinding } from './key-path.ts';
import type { Config } from './schema.ts';

export function authErrors(config: Config): KeyFinding[] {
  const { mode, htpasswdFile } = config.auth;
  if (mode === 'delegate') return [delegateErrors(config), issuerErrors(config)].flat();
  if (mode !== 'htpasswd') return [];
  // Clients have a password for the edge, which must not be sent to an upstream.
  const forwarding = Object.entries(config.upstreams)
    .filter(([, { credentials }]) => credentials === 'forward')
    .map(([name]) => ({
      path: ['upstreams', name, 'credentials'],
      message: `with auth.mode htpasswd clients log in to the edge, so they send no credentials to forward to ${name}`,
      remedy: 'set { username, passwordFile } of the edge, or none',
    }));
  return htpasswdFile === undefined ? [NO_PASSWORDS, ...forwarding] : forwarding;
}

const NO_PASSWORDS: KeyFinding = {
  path: ['auth', 'htpasswdFile'],
  message: 'auth.mode htpasswd needs a password file',
  remedy: 'name one here and create it with: breakwater user add NAME',
};

/** There must be one authority: a user's token for one upstream must never be sent to another. */
function delegateErrors({ upstreams }: Config): KeyFinding | [] {
  const forwarding = Object.keys(upstreams).filter((name) => upstreams[name]?.credentials === 'forward');
  if (forwarding.length === 1) return [];
  return {
    path: ['auth', 'mode'],
    message: `auth.mode delegate needs exactly one upstream with credentials: forward, which decides about users; found ${forwarding.length}`,
    remedy: 'set it on the registry whose users log in, and give every other upstream { username, passwordFile }',
  };
}

function issuerErrors({ auth: { issuers } }: Config): KeyFinding[] {
  return issuers.flatMap(({ issuer }, index) => {
    const first = issuers.findIndex((other) => other.issuer === issuer);
    if (first === index) return [];
    const message = `repeats auth.issuers[${first}]`;
    const remedy = 'name all audiences in the first entry, and remove this one';
    return [{ path: ['auth', 'issuers', index, 'issuer'], message, remedy }];
  });
}

export function authWarnings(config: Config): KeyFinding[] {
  const { mode, breakGlassFile } = config.auth;
  if (mode === 'open') return unusedKeyWarnings(config);
  return [
    config.keyFile === undefined ? NO_KEY : [],
    networkWarnings(config),
    mode === 'delegate' ? [...routeWithoutAuthorityWarnings(config), ...anonymousRouteWarnings(config)] : [],
    ruleWarnings(config),
    unusedKeyWarnings(config),
    mode === 'delegate' && breakGlassFile !== undefined ? breakGlassWarnings(config) : [],
  ].flat();
}

const NO_KEY: KeyFinding = {
  path: ['keyFile'],
  message: 'without it a restart logs every user out, and the other edge of a pair refuses the tokens',
  remedy: 'head -c 48 /dev/urandom | base64 > edge.key; copy the file to every edge, and name it here',
};

function networkWarnings({ auth, routes }: Config): KeyFinding | [] {
  const open = routes.some(({ anonymous }) => anonymous);
  const path = ['auth', 'anonymous'];
  if (open && auth.anonymous.length === 0)
    return {
      path,
      message: 'routes have anonymous: true, but auth.anonymous lists no network',
      remedy: 'list the networks here, or remove anonymous from the routes',
    };
  if (open || auth.anonymous.length === 0) return [];
  return {
    path,
    message: 'no route has anonymous: true, so these networks can pull nothing without credentials',
    remedy: 'set anonymous: true on the routes that they may pull from',
  };
}

function routeWithoutAuthorityWarnings({ routes, upstreams }: Config): KeyFinding[] {
  return [...routes.entries()].flatMap(([index, route]) => {
    const names = [route.push ?? [], ...route.pull.map(({ upstream }) => upstream)].flat();
    if (route.anonymous || names.some((name) => upstreams[name]?.credentials === 'forward')) return [];
    return {
      path: ['routes', index],
      message: 'the upstream with credentials: forward is not in this route, so every request here is denied',
      remedy: 'add that upstream to pull, or set anonymous: true for the networks of auth.anonymous',
    };
  });
}

/** The authority shows nothing to anonymous clients. */
function anonymousRouteWarnings({ routes, upstreams }: Config): KeyFinding[] {
  return [...routes.entries()].flatMap(([index, { anonymous, pull }]) => {
    if (!anonymous || pull.some(({ upstream }) => upstreams[upstream]?.credentials !== 'forward')) return [];
    return {
      path: ['routes', index, 'anonymous'],
      message: 'this route has only the upstream with credentials: forward, which shows nothing to anonymous clients',
      remedy: 'add an upstream to pull that has { username, passwordFile } or needs no credentials',
    };
  });
}

function ruleWarnings({ auth: { mode, access, breakGlassFile } }: Config): KeyFinding | [] {
  const needed = mode === 'htpasswd' || breakGlassFile !== undefined;
  if (!needed || Object.keys(access).length > 0) return [];
  return {
    path: ['auth', 'access'],
    message: `there are no rules, so every request of a ${mode === 'htpasswd' ? '' : 'break-glass '}user is denied`,
    remedy: 'start with access: { "*": ["** pull"] }',
  };
}

/** Keys without effect in this mode. */
function unusedKeyWarnings({ auth }: Config): KeyFinding[] {
  const { mode, htpasswdFile, breakGlassFile, access, groups, realmHosts, canary, issuers } = auth;
  const ruled = mode === 'htpasswd' || (mode === 'delegate' && breakGlassFile !== undefined);
  const idle: [string, boolean, string][] = [
    ['htpasswdFile', htpasswdFile !== undefined && mode !== 'htpasswd', 'auth.mode htpasswd'],
    ['breakGlassFile', breakGlassFile !== undefined && mode !== 'delegate', 'auth.mode delegate'],
    ['canary', canary !== undefined && mode !== 'delegate', 'auth.mode delegate'],
    ['issuers', issuers.length > 0 && mode !== 'delegate', 'auth.mode delegate'],
    ['realmHosts', realmHosts.length > 0 && mode !== 'delegate', 'auth.mode delegate'],
    ['access', Object.keys(access).length > 0 && !ruled, 'auth.mode htpasswd, or delegate with auth.breakGlassFile'],
    ['groups', Object.keys(groups).length > 0 && !ruled, 'auth.mode htpasswd, or delegate with auth.breakGlassFile'],
  ];
  return idle
    .filter(([, isIdle]) => isIdle)
    .map(([key, , where]) => ({
      path: ['auth', key],
      message: `has no effect in auth.mode ${mode}`,
      remedy: `set ${where}, or remove this key`,
    }));
}
