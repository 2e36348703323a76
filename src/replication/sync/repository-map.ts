import type { RouteConfig } from '../../config/schema.ts';
import { type Candidate, type Route, resolveRoute, toClient, toUpstream } from '../../failover/rewrite.ts';
import type { RepositoryPair } from '../copy-route.ts';

/** Maps repositories of one registry to another: to no name, to one, or, by several routes, to more. */
export class RepositoryMap {
  /** Every mapped repository of the source begins with one of these. */
  readonly prefixes: readonly string[];
  readonly #targetsOf: (repository: string) => string[];
  /** The name that clients use for a pair, with the registry of its route in front; undefined: no route leads to it. */
  readonly clientName: (pair: RepositoryPair) => string | undefined;

  private constructor(
    prefixes: readonly string[],
    placesOf: (repository: string) => string[],
    clientName: (pair: RepositoryPair) => string | undefined = () => undefined,
  ) {
    this.prefixes = [...new Set(prefixes)];
    this.#targetsOf = placesOf;
    this.clientName = clientName;
  }

  /** Maps by the routes that both upstreams take part in; undefined: there are none. */
  static ofRoutes(configured: readonly RouteConfig[], from: string, to: string): RepositoryMap | undefined {
    const routes = configured.map(resolveRoute);
    const mappings = routes.flatMap((route) => {
      const [source, target] = [candidateOn(route, from), candidateOn(route, to)];
      return source && target ? [{ route, source, target }] : [];
    });
    if (mappings.length === 0) return undefined;
    const prefixes = mappings.map(({ source }) => source.prefix);
    const placesOf = (repository: string) =>
      mappings.flatMap(({ route, source, target }) => {
        const name = toClient(routes, route, source, repository);
        return name === undefined ? [] : [{ name, route, target: toUpstream(route, target, name) }];
      });
    return new RepositoryMap(
      prefixes,
      (repository) => placesOf(repository).map(({ target }) => target),
      (pair) => {
        const place = placesOf(pair.source).find(({ target }) => target === pair.target);
        return place && (place.route.registry === undefined ? place.name : `${place.route.registry}/${place.name}`);
      },
    );
  }

  /** Maps by replacing one prefix with another. */
  static ofPrefixes(from: string, to: string): RepositoryMap {
    return new RepositoryMap([from], (repository) =>
      repository.startsWith(from) && repository.length > from.length ? [to + repository.slice(from.length)] : [],
    );
  }

  pairs(repository: string): RepositoryPair[] {
    return [...new Set(this.#targetsOf(repository))].map((target) => ({ source: repository, target }));
  }
}

function candidateOn({ pull, push }: Route, upstream: string): Candidate | undefined {
  return pull.find((one) => one.upstream === upstream) ?? (push?.upstream === upstream ? push : undefined);
}
