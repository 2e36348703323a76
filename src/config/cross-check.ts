import { findCollisions } from './inversion.ts';
import type { KeyFinding, KeyPath } from './key-path.ts';
import type { Config, RouteConfig, UpstreamConfig } from './schema.ts';

export interface CrossCheck {
  errors: KeyFinding[];
  warnings: KeyFinding[];
}

/** What no single key can tell: names that must exist, routes that meet, settings that do not go together. Pure. */
export function crossCheck(config: Config): CrossCheck {
  const upstreams = Object.entries(config.upstreams);
  return {
    errors: [
      ...upstreamNameErrors(config),
      ...config.routes.flatMap((route, index) => routeErrors(config, route, index)),
      ...upstreams.flatMap(([name, upstream]) => upstreamErrors(name, upstream)),
      ...findCollisions(config.routes),
    ],
    warnings: [
      ...upstreams.flatMap(([name, upstream]) => upstreamWarnings(config, name, upstream)),
      ...config.routes.flatMap((route, index) => routeWarnings(config, route, index)),
    ],
  };
}

function upstreamNameErrors(config: Config): KeyFinding[] {
  const names = Object.keys(config.upstreams);
  const uses: { path: KeyPath; name: string | undefined }[] = [
    { path: ['passthrough'], name: config.passthrough },
    ...config.routes.flatMap((route, index) => [
      { path: ['routes', index, 'push'], name: route.push },
      ...route.pull.map((entry, position) => ({
        path: ['routes', index, 'pull', position, 'upstream'],
        name: entry.upstream,
      })),
    ]),
  ];
  return uses
    .filter(({ name }) => name !== undefined && !names.includes(name))
    .map(({ path, name }) => ({
      path,
      message: `no upstream is called "${name}"; there are ${names.join(', ') || 'none'}`,
    }));
}

function routeErrors(config: Config, route: RouteConfig, index: number): KeyFinding[] {
  const findings: KeyFinding[] = [];
  const twin = config.routes.findIndex((other) => other.prefix === route.prefix && other.registry === route.registry);
  if (twin < index)
    findings.push({
      path: ['routes', index, 'prefix'],
      message: `routes[${twin}] already has the prefix "${route.prefix}"`,
    });
  for (const [position, entry] of route.pull.entries()) {
    const first = route.pull.findIndex((other) => other.upstream === entry.upstream);
    if (first < position)
      findings.push({
        path: ['routes', index, 'pull', position, 'upstream'],
        message: `"${entry.upstream}" stands in this list already; it is asked once`,
      });
  }
  const own = [config.hostname, ...config.aliases].map((name) => name.toLowerCase());
  if (route.registry !== undefined && own.includes(route.registry.toLowerCase())) {
    findings.push({
      path: ['routes', index, 'registry'],
      message: `"${route.registry}" is the edge's own name; leave registry out for its own repositories`,
    });
  }
  return findings;
}

function upstreamErrors(name: string, upstream: UpstreamConfig): KeyFinding[] {
  const findings: KeyFinding[] = [];
  for (const [index, text] of upstream.urls.entries()) {
    const url = new URL(text);
    const path = ['upstreams', name, 'urls', index];
    if (url.username !== '' || url.password !== '')
      findings.push({ path, message: 'holds a user or a password; these go into credentials' });
    if (url.search !== '' || url.hash !== '')
      findings.push({ path, message: 'has a query or a fragment; expected scheme, host and at most a base path' });
    if (/\/v2\/?$/.test(url.pathname))
      findings.push({ path, message: 'ends in /v2, which is added to it; expected the URL without' });
    if (upstream.urls.indexOf(text) < index) findings.push({ path, message: 'stands in this list already' });
  }
  const plain = upstream.urls.every((url) => url.startsWith('http:'));
  if (upstream.caFile !== undefined && plain)
    findings.push({ path: ['upstreams', name, 'caFile'], message: 'is for https, but all urls are http' });
  return findings;
}

function upstreamWarnings(config: Config, name: string, upstream: UpstreamConfig): KeyFinding[] {
  const findings: KeyFinding[] = [];
  const used =
    config.passthrough === name ||
    config.routes.some((route) => route.push === name || route.pull.some((entry) => entry.upstream === name));
  if (!used)
    findings.push({
      path: ['upstreams', name],
      message: 'no route uses this upstream',
      remedy: 'name it in a route, or remove it',
      atKey: true,
    });
  const exposed = upstream.urls.find((url) => url.startsWith('http:') && !isLoopback(new URL(url).hostname));
  if (exposed !== undefined && upstream.credentials !== 'none') {
    findings.push({
      path: ['upstreams', name, 'credentials'],
      message: `credentials go to ${new URL(exposed).host} in the clear`,
      remedy: 'use https for it',
    });
  }
  return findings;
}

function routeWarnings(config: Config, route: RouteConfig, index: number): KeyFinding[] {
  if (route.push === undefined || config.upstreams[route.push]?.credentials !== 'forward') return [];
  return route.pull.flatMap((entry, position) => {
    const credentials = config.upstreams[entry.upstream]?.credentials;
    if (typeof credentials !== 'object') return [];
    return [
      {
        path: ['routes', index, 'pull', position],
        message: `while ${route.push} is down, every client may pull everything of this route from ${entry.upstream}: auth.mode open asks nobody who they are, and the edge's own credentials open it`,
        remedy: 'put only what may be public behind this route, or let nobody else reach the edge',
      },
    ];
  });
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}
