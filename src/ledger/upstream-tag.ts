import { type Route, toUpstream } from '../failover/rewrite.ts';
import { authorityOf } from '../failover/stale-tag.ts';

/** A tag at the upstream whose word counts for it; the repository in that upstream's names. */
export interface UpstreamTag {
  upstream: string;
  repository: string;
  tag: string;
}

/** The place of a client's tag; undefined for a route that no upstream answers for. `repository` must begin with the route's prefix. */
export function upstreamTag(route: Route, repository: string, tag: string): UpstreamTag | undefined {
  const authority = authorityOf(route);
  return authority && { upstream: authority.upstream, repository: toUpstream(route, authority, repository), tag };
}

// No name of an upstream, repository or tag has a line end in it.

export function tagKey({ upstream, repository, tag }: UpstreamTag): string {
  return `${upstream}\n${repository}\n${tag}`;
}

export function parseTagKey(key: string): UpstreamTag {
  const [upstream = '', repository = '', tag = ''] = key.split('\n');
  return { upstream, repository, tag };
}
