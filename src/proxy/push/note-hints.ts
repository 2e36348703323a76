import { isCopied, type Route, toClient } from '../../failover/rewrite.ts';
import type { Hint } from '../../replication/hint.ts';
import type { StageNotes } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';

/** Hands hints on to replication, and notes them for the log line and the metrics of the request that brought them. */
export function noteHints(
  { notes }: { notes: Pick<StageNotes, 'fetch'> },
  { hints: receiver }: Uses<'hints'>,
  hints: readonly Hint[],
): void {
  const [first] = hints;
  if (first === undefined) return;
  receiver?.enqueueHints(hints);
  const pushed = hints.filter(({ kind }) => kind === 'push').length;
  notes.fetch.hints = { from: first.from, push: pushed, delete: hints.length - pushed };
  // A hook is mostly about one image, and an operator searches the log for it.
  notes.fetch.hinted = { repository: first.repository, reference: first.reference };
}

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
