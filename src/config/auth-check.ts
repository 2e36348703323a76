import { breakGlassWarnings } from './break-glass-check.ts';
import type { KeyFinding } from './key-path.ts';
import type { Config } from './schema.ts';

export function authErrors(config: Config): KeyFinding[] {
  const { mode, htpasswdFile } = config.auth;
  if (mode === 'delegate') return delegateErrors(config);
  if (mode !== 'htpasswd') return [];
  const missing: KeyFinding[] =
    htpasswdFile === undefined
      ? [
          {
            path: ['auth', 'htpasswdFile'],
            message: 'auth.mode htpasswd needs the file with its users',
            remedy: 'name one here, and make it with: breakwater user add NAME',
          },
        ]
      : [];
  // Clients have a password for the edge, which must not be sent to an upstream.
  const forwarding = Object.entries(config.upstreams)
    .filter(([, { credentials }]) => credentials === 'forward')
    .map(([name]) => ({
      path: ['upstreams', name, 'credentials'],
      message: `auth.mode htpasswd: clients have credentials for the edge only, so that there are none to forward to ${name}`,
      remedy: "give the edge's own { username, passwordFile }, or none",
    }));
  return [...missing, ...forwarding];
}

/** There must be one authority: a user's token for one upstream must never be sent to another. */
function delegateErrors({ upstreams }: Config): KeyFinding[] {
  const forwarding = Object.keys(upstreams).filter((name) => upstreams[name]?.credentials === 'forward');
  if (forwarding.length === 1) return [];
  return [
    {
      path: ['auth', 'mode'],
      message: `auth.mode delegate needs exactly one upstream with credentials: forward, whose users the clients are; there are ${forwarding.length}`,
      remedy: "set it on the registry that decides, and give the others the edge's own { username, passwordFile }",
    },
  ];
}

export function authWarnings(config: Config): KeyFinding[] {
  const { mode, breakGlassFile } = config.auth;
  if (mode === 'open') return unusedKeyWarnings(config);
  return [
    ...(config.keyFile === undefined ? [NO_KEY] : []),
    ...networkWarnings(config),
    ...(mode === 'delegate' ? [...routeWithoutAuthorityWarnings(config), ...anonymousRouteWarnings(config)] : []),
    ...ruleWarnings(config),
    ...unusedKeyWarnings(config),
    ...(mode === 'delegate' && breakGlassFile !== undefined ? breakGlassWarnings(config) : []),
  ];
}

const NO_KEY: KeyFinding = {
  path: ['keyFile'],
  message: 'without it tokens are worth nothing after a restart, and to the other edge of a pair',
  remedy: 'head -c 48 /dev/urandom | base64 > edge.key, the same on both, and name it here',
};

function networkWarnings({ auth, routes }: Config): KeyFinding[] {
  const open = routes.some(({ anonymous }) => anonymous);
  if (open === auth.anonymous.length > 0) return [];
  return [
    {
      path: ['auth', 'anonymous'],
      ...(open
        ? {
            message: 'routes say anonymous: true, but no network may pull without credentials',
            remedy: 'name the networks, or take it from the routes',
          }
        : {
            message: 'no route says anonymous: true, so that these networks may pull nothing without credentials',
            remedy: 'say it on the routes that they may pull from',
          }),
    },
  ];
}

function routeWithoutAuthorityWarnings({ routes, upstreams }: Config): KeyFinding[] {
  return [...routes.entries()].flatMap(([index, route]) => {
    const names = [route.push ?? [], ...route.pull.map(({ upstream }) => upstream)].flat();
    if (route.anonymous || names.some((name) => upstreams[name]?.credentials === 'forward')) return [];
    return [
      {
        path: ['routes', index],
        message: 'the upstream that decides is not in this route, so that nobody may do anything here',
        remedy:
          'add the upstream with credentials: forward to its pull, or open it to auth.anonymous with anonymous: true',
      },
    ];
  });
}

/** The authority shows nothing to anonymous clients. */
function anonymousRouteWarnings({ routes, upstreams }: Config): KeyFinding[] {
  return [...routes.entries()].flatMap(([index, { anonymous, pull }]) => {
    if (!anonymous || pull.some(({ upstream }) => upstreams[upstream]?.credentials !== 'forward')) return [];
    return [
      {
        path: ['routes', index, 'anonymous'],
        message:
          'only the upstream that decides is in this route, and it is asked with the credentials of clients alone',
        remedy: 'add an upstream to its pull that the edge has credentials of its own for, or that needs none',
      },
    ];
  });
}

function ruleWarnings({ auth: { mode, access, breakGlassFile } }: Config): KeyFinding[] {
  const needed = mode === 'htpasswd' || breakGlassFile !== undefined;
  if (!needed || Object.keys(access).length > 0) return [];
  return [
    {
      path: ['auth', 'access'],
      message: `no rule allows anything, so that no ${mode === 'htpasswd' ? '' : 'break-glass '}user may do anything`,
      remedy: 'access: { "*": ["** pull"] }, for a start',
    },
  ];
}

/** Keys without effect in this mode. */
function unusedKeyWarnings({ auth }: Config): KeyFinding[] {
  const { mode, htpasswdFile, breakGlassFile, access, groups, realmHosts } = auth;
  const ruled = mode === 'htpasswd' || (mode === 'delegate' && breakGlassFile !== undefined);
  const idle: [string, boolean, string][] = [
    ['htpasswdFile', htpasswdFile !== undefined && mode !== 'htpasswd', 'auth.mode htpasswd'],
    ['breakGlassFile', breakGlassFile !== undefined && mode !== 'delegate', 'auth.mode delegate'],
    ['realmHosts', realmHosts.length > 0 && mode !== 'delegate', 'auth.mode delegate'],
    ['access', Object.keys(access).length > 0 && !ruled, 'auth.mode htpasswd, or delegate with auth.breakGlassFile'],
    ['groups', Object.keys(groups).length > 0 && !ruled, 'auth.mode htpasswd, or delegate with auth.breakGlassFile'],
  ];
  return idle
    .filter(([, isIdle]) => isIdle)
    .map(([key, , where]) => ({
      path: ['auth', key],
      message: `is of no effect in auth.mode ${mode}`,
      remedy: `it is for ${where}; set that, or take this out`,
    }));
}
