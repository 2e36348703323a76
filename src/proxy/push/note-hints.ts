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
