import type { RouteConfig } from '../../config/schema.ts';
import { type Candidate, type Route, resolveRoute, toClient, toUpstream } from '../../failover/rewrite.ts';
import type { RepositoryPair } from '../copy-route.ts';

/** Where repositories of one registry are on another: nowhere, in one place, or, by several routes, in more. */
export class RepositoryMap {
  /** With one of which all repositories of the source begin that have a place. */
  readonly prefixes: readonly string[];
  readonly #targetsOf: (repository: string) => string[];

  private constructor(prefixes: readonly string[], placesOf: (repository: string) => string[]) {
    this.prefixes = [...new Set(prefixes)];
    this.#targetsOf = placesOf;
  }

  /** As the routes say that both upstreams are in; undefined: there is none. */
  static ofRoutes(configured: readonly RouteConfig[], from: string, to: string): RepositoryMap | undefined {
    const routes = configured.map(resolveRoute);
    const mappings = routes.flatMap((route) => {
      const [source, target] = [candidateOn(route, from), candidateOn(route, to)];
      return source && target ? [{ route, source, target }] : [];
    });
    if (mappings.length === 0) return undefined;
    const prefixes = mappings.map(({ source }) => source.prefix);
    return new RepositoryMap(prefixes, (repository) =>
      mappings.flatMap(({ route, source, target }) => {
        const name = toClient(routes, route, source, repository);
        return name === undefined ? [] : [toUpstream(route, target, name)];
      }),
    );
  }

  /** One prefix in place of another. */
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
