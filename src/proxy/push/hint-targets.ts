import { isCopied, type Route, toClient } from '../../failover/rewrite.ts';
import type { Hint } from '../../replication/hint.ts';

/**
 * The upstreams that a hook's hints are about. A hook does not name its upstream: each push upstream whose repository
 * is replicated gets the hint. Hints about other repositories are dropped.
 */
export function hintTargets(routes: readonly Route[], hints: readonly Hint[]): Hint[] {
  return hints.flatMap((hint) => {
    const upstreams = routes.flatMap((route) => {
      const { push } = route;
      if (!push || !isCopied(route) || toClient(routes, route, push, hint.repository) === undefined) return [];
      return push.upstream;
    });
    return [...new Set(upstreams)].map((upstream) => ({ ...hint, upstream }));
  });
}
