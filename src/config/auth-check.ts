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
  // A password of the edge's is nobody else's business, so that there is nothing to forward.
  const forwarding = Object.entries(config.upstreams)
    .filter(([, { credentials }]) => credentials === 'forward')
    .map(([name]) => ({
      path: ['upstreams', name, 'credentials'],
      message: `auth.mode htpasswd: clients have credentials for the edge only, so that there are none to forward to ${name}`,
      remedy: "give the edge's own { username, passwordFile }, or none",
    }));
  return [...missing, ...forwarding];
}

/** One authority: a user's token for one upstream must never be shown to another. */
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

export function authWarnings({ auth, keyFile, routes, upstreams }: Config): KeyFinding[] {
  const open = routes.some(({ anonymous }) => anonymous);
  const findings: KeyFinding[] = [];
  if (auth.mode === 'open') return findings;
  if (keyFile === undefined)
    findings.push({
      path: ['keyFile'],
      message: 'without it tokens are worth nothing after a restart, and to the other edge of a pair',
      remedy: 'head -c 48 /dev/urandom | base64 > edge.key, the same on both, and name it here',
    });
  if (open && auth.anonymous.length === 0)
    findings.push({
      path: ['auth', 'anonymous'],
      message: 'routes say anonymous: true, but no network may pull without credentials',
      remedy: 'name the networks, or take it from the routes',
    });
  if (!open && auth.anonymous.length > 0)
    findings.push({
      path: ['auth', 'anonymous'],
      message: 'no route says anonymous: true, so that these networks may pull nothing without credentials',
      remedy: 'say it on the routes that they may pull from',
    });
  for (const [index, route] of auth.mode === 'delegate' ? routes.entries() : []) {
    const names = [route.push ?? [], ...route.pull.map(({ upstream }) => upstream)].flat();
    if (route.anonymous || names.some((name) => upstreams[name]?.credentials === 'forward')) continue;
    findings.push({
      path: ['routes', index],
      message: 'the upstream that decides is not in this route, so that nobody may do anything here',
      remedy:
        'add the upstream with credentials: forward to its pull, or open it to auth.anonymous with anonymous: true',
    });
  }
  if (auth.mode === 'htpasswd' && Object.keys(auth.access).length === 0)
    findings.push({
      path: ['auth', 'access'],
      message: 'no rule allows anything, so that no user may do anything',
      remedy: 'access: { "*": ["** pull"] }, for a start',
    });
  return findings;
}
