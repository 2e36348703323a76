import { type Route, toUpstream } from '../failover/rewrite.ts';
import { authorityOf } from '../failover/stale-tag.ts';

/** A tag at the upstream that is authoritative for it; the repository by its name there. */
export interface UpstreamTag {
  upstream: string;
  repository: string;
  /** A digest stands for itself: the ledger has it once the manifest was deleted. */
  tag: string;
}

/**
 * The authoritative upstream's name of a client's tag or digest; undefined: no upstream of the route is authoritative. `repository` must
 * begin with the route's prefix.
 */
export function upstreamTag(route: Route, repository: string, tag: string): UpstreamTag | undefined {
  const authority = authorityOf(route);
  return authority && { upstream: authority.upstream, repository: toUpstream(route, authority, repository), tag };
}

// No upstream name, repository or tag contains a line break.

export function tagKey({ upstream, repository, tag }: UpstreamTag): string {
  return `${upstream}\n${repository}\n${tag}`;
}

export function parseTagKey(key: string): UpstreamTag {
  const [upstream = '', repository = '', tag = ''] = key.split('\n');
  return { upstream, repository, tag };
}
