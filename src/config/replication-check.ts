import type { KeyFinding, KeyPath } from './key-path.ts';
import { replicationCredentials } from './replication-user.ts';
import type { Config, RouteConfig } from './schema.ts';

/** Replication settings that cannot work. */
export function replicationErrors(config: Config): KeyFinding[] {
  const { when, vip } = config.replication;
  return [
    ...(when === 'vip' && vip === undefined ? [NO_VIP] : []),
    ...config.routes.flatMap((route, index) => routeErrors(config, route, index)),
    ...conflictingWriteErrors(config.routes),
  ];
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
          remedy: 'give one of them another prefix there',
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
  message: 'vip says that the edge with the shared address copies, but not which address that is',
  remedy: 'name it as replication.vip, such as 10.0.0.10, or say always',
};

function routeErrors(config: Config, { push, pull }: RouteConfig, index: number): KeyFinding[] {
  const copied = [...pull.entries()].filter(([, entry]) => entry.replicate);
  const at = (position: number) => ['routes', index, 'pull', position, 'replicate'];
  const [first] = copied;
  if (first === undefined) return [];
  if (push === undefined)
    return [
      {
        path: at(first[0]),
        message: 'copies are made of what is on the push upstream, and this route has none',
        remedy: `name it as push, or take replicate from ${first[1].upstream}`,
      },
    ];
  const itself = copied.filter(([, { upstream }]) => upstream === push);
  return [
    ...itself.map(([position]) => ({
      path: at(position),
      message: `${push} is the push upstream, which is what is copied`,
      remedy: 'say it of the others',
    })),
    ...missingCredentialsErrors(config, push, at(first[0])),
    ...copied
      .filter(([, { upstream }]) => upstream !== push)
      .flatMap(([position, { upstream }]) => missingCredentialsErrors(config, upstream, at(position))),
  ];
}

/** Clients' forwarded credentials cannot serve for copies, which no client requests. */
function missingCredentialsErrors({ upstreams }: Config, name: string, path: KeyPath): KeyFinding[] {
  const upstream = upstreams[name];
  if (upstream?.credentials !== 'forward' || upstream.replication.credentials !== undefined) return [];
  if (replicationCredentials(upstream) !== 'none') return [];
  return [
    {
      path,
      message: `the edge has no credentials of its own for ${name} to copy with: those of clients are forwarded there, and used for nothing else`,
      remedy: `give upstreams.${name}.replication.credentials a { username, passwordFile }, or say none if it needs none`,
    },
  ];
}

/** Settings without effect. */
export function replicationWarnings({ replication, routes }: Config): KeyFinding[] {
  const findings: KeyFinding[] = [];
  if (replication.vip !== undefined && replication.when !== 'vip')
    findings.push({
      path: ['replication', 'vip'],
      message: `is of no effect with replication.when: ${replication.when}`,
      remedy: 'say when: vip, or take this out',
    });
  const copied = (route: RouteConfig) => route.pull.some(({ replicate }) => replicate);
  if (replication.hookSecretFile !== undefined && !routes.some(copied))
    findings.push({
      path: ['replication', 'hookSecretFile'],
      message: 'hooks are taken, but no route has an upstream that is kept in step, so that they do nothing',
      remedy: 'say replicate: true of one, or take this out',
    });
  for (const [index, route] of routes.entries()) {
    if (route.deletions === 'keep' || copied(route)) continue;
    findings.push({
      path: ['routes', index, 'deletions'],
      message: 'no upstream of this route is kept in step, so that there is nothing to delete from',
      remedy: 'say replicate: true of one, or take this out',
    });
  }
  return findings;
}
