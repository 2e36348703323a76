import { isCopied, type Route, toClient } from '../../failover/rewrite.ts';
import type { Hint } from '../../replication/hint.ts';

/**
 * Hints of a hook, which does not say which upstream it is from: of each push upstream that has copies made of that repository. What
 * nobody makes copies of is left out.
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
