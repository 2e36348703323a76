import type { KeyFinding, KeyPath } from './key-path.ts';
import { replicationCredentials } from './replication-user.ts';
import type { Config, RouteConfig } from './schema.ts';

/** Replication settings that cannot work. */
export function replicationErrors(config: Config): KeyFinding[] {
  const { when, vip } = config.replication;
  return [
    when === 'vip' && vip === undefined ? NO_VIP : [],
    config.routes.flatMap((route, index) => routeErrors(config, route, index)),
    conflictingWriteErrors(config.routes),
  ].flat();
}

interface WrittenPrefix {
  route: number;
  registry: string | undefined;
  upstream: string;
  prefix: string;
}

/**
 * Routes of different registries may map to one prefix of an upstream. All content written there must come from one source: otherwise
 * copies of one route overwrite those of the other, or delete them with `deletions: follow`.
 */
function conflictingWriteErrors(routes: readonly RouteConfig[]): KeyFinding[] {
  const written: { place: WrittenPrefix; source: WrittenPrefix }[] = [];
  const findings: KeyFinding[] = [];
  for (const [index, route] of routes.entries()) {
    if (route.push === undefined) continue;
    const source = writtenPrefix(route, index, route.push);
    const copies = route.pull.filter(({ upstream, replicate }) => replicate && upstream !== route.push);
    for (const place of [source, ...copies.map(({ upstream }) => writtenPrefix(route, index, upstream))]) {
      const other = written.find(
        (one) => isSame(one.place, place) && !isSame(one.source, source) && one.place.registry !== route.registry,
      );
      if (other)
        findings.push({
          path: ['routes', index],
          message: `"${place.prefix}" on ${place.upstream} is written from "${source.prefix}" on ${source.upstream}, and by routes[${other.place.route}] from "${other.source.prefix}" on ${other.source.upstream}`,
          remedy: 'give one of the routes another prefix on that upstream',
        });
      written.push({ place, source });
    }
  }
  return findings;
}

function writtenPrefix({ prefix, registry, pull }: RouteConfig, route: number, upstream: string): WrittenPrefix {
  return { route, registry, upstream, prefix: pull.find((entry) => entry.upstream === upstream)?.prefix ?? prefix };
}

function isSame(one: WrittenPrefix, other: WrittenPrefix): boolean {
  return one.upstream === other.upstream && one.prefix === other.prefix;
}

const NO_VIP: KeyFinding = {
  path: ['replication', 'when'],
  message: 'when: vip needs the shared address',
  remedy: 'set replication.vip, for example 10.0.0.10, or use always',
};

function routeErrors(config: Config, { push, pull }: RouteConfig, index: number): KeyFinding | KeyFinding[] {
  const copied = [...pull.entries()].filter(([, entry]) => entry.replicate);
  const at = (position: number) => ['routes', index, 'pull', position, 'replicate'];
  const [first] = copied;
  if (first === undefined) return [];
  if (push === undefined)
    return {
      path: at(first[0]),
      message: 'replicate copies from the push upstream, but this route has no push upstream',
      remedy: `set push, or remove replicate from ${first[1].upstream}`,
    };
  return [
    missingCredentialsErrors(config, push, at(first[0])),
    copied.flatMap(([position, { upstream }]) =>
      upstream === push
        ? {
            path: at(position),
            message: `${push} is the push upstream, which is the source of the copies`,
            remedy: 'set replicate only on other upstreams',
          }
        : missingCredentialsErrors(config, upstream, at(position)),
    ),
  ].flat();
}

/** Clients' forwarded credentials cannot serve for copies, which no client requests. */
function missingCredentialsErrors({ upstreams }: Config, name: string, path: KeyPath): KeyFinding | [] {
  const upstream = upstreams[name];
  if (upstream?.credentials !== 'forward' || upstream.replication.credentials !== undefined) return [];
  if (replicationCredentials(upstream) !== 'none') return [];
  return {
    path,
    message: `copies have no credentials for ${name}: with credentials: forward only clients bring some`,
    remedy: `set upstreams.${name}.replication.credentials to { username, passwordFile }, or to none if ${name} needs none`,
  };
}

/** Settings without effect. */
export function replicationWarnings({ replication, routes }: Config): KeyFinding[] {
  const findings: KeyFinding[] = [];
  if (replication.vip !== undefined && replication.when !== 'vip')
    findings.push({
      path: ['replication', 'vip'],
      message: `has no effect with replication.when: ${replication.when}`,
      remedy: 'set when: vip, or remove this key',
    });
  const copied = (route: RouteConfig) => route.pull.some(({ replicate }) => replicate);
  if (replication.hookSecretFile !== undefined && !routes.some(copied))
    findings.push({
      path: ['replication', 'hookSecretFile'],
      message: 'webhooks have no effect, because no route has replicate: true',
      remedy: 'set replicate: true on an upstream, or remove this key',
    });
  for (const [index, route] of routes.entries()) {
    if (route.deletions === 'keep' || copied(route)) continue;
    findings.push({
      path: ['routes', index, 'deletions'],
      message: 'has no effect, because no upstream of this route has replicate: true',
      remedy: 'set replicate: true on an upstream, or remove this key',
    });
  }
  return findings;
}
