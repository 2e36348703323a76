import type { Hint } from '../../replication/hint.ts';
import type { Exchange } from '../exchange.ts';
import type { ProxyContext } from '../proxy-context.ts';

/** Hands hints on to who acts on them, and notes them for the line and the metrics of the request that brought them. */
export function noteHints(
  { notes }: Pick<Exchange, 'notes'>,
  { hints: taker }: Pick<ProxyContext, 'hints'>,
  hints: readonly Hint[],
): void {
  const [first] = hints;
  if (first === undefined) return;
  taker?.enqueueHints(hints);
  const pushed = hints.filter(({ kind }) => kind === 'push').length;
  notes.hints = { from: first.from, push: pushed, delete: hints.length - pushed };
  // A hook is mostly of one thing, which is what one looks for in the log.
  notes.repository ??= first.repository;
  notes.reference ??= first.reference;
}
