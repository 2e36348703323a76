import type { Candidate, Route } from './rewrite.ts';
import type { Judgement } from './tag-history.ts';

export interface ShownTag {
  tag: string;
  /** The digest that an upstream other than `authority` shows. */
  digest: string;
  shownBy: string;
  /** The upstream whose word counts, as `authorityOf` has it. */
  authority: string;
  /** slow: it is merely later than usual and still under way (a hedge). failed: it is down, or could not answer this request. */
  authorityIs: 'slow' | 'failed';
  /** What the ledger says of `digest`. */
  judgement: Judgement;
  policy: Route['staleTags'];
  /** The current digest was asked for, wherever it might be, in vain. */
  currentAsked: boolean;
}

/**
 * serve: as any answer of a fallback. serve-with-warning: with `text` as a Warning header, as a line in the log, and counted.
 * ask-current: ask the upstreams that are left, this one too, for `digest`, which the push upstream last showed; serve that, or decide
 * again with `currentAsked`. wait-for-primary: drop this answer and wait for the authority until its deadline. refuse: 503 with `text`.
 */
export type StaleTagDecision =
  | { action: 'serve' }
  | { action: 'serve-with-warning'; text: string }
  | { action: 'ask-current'; digest: string }
  | { action: 'refuse'; text: string }
  | { action: 'wait-for-primary' };

const SERVE: StaleTagDecision = { action: 'serve' };

/** The upstream whose tags are the true ones: the one that is pushed to, or of a read-only route the first that is asked. */
export function authorityOf(route: Route): Candidate | undefined {
  return route.push ?? route.pull[0];
}

/** What to do with a tag that an upstream other than the authority shows (rule 6: a tag never silently goes back in time). */
export function decideTag(shown: ShownTag): StaleTagDecision {
  const { judgement, policy } = shown;
  if (judgement.verdict === 'current') return SERVE;
  const current = judgement.verdict === 'stale' && !shown.currentAsked ? judgement.current : undefined;
  if (current !== undefined && policy !== 'serve') return { action: 'ask-current', digest: current };
  // Who is merely slow knows better than any ledger; nothing but a confirmed digest may overtake it.
  if (shown.authorityIs === 'slow') return { action: 'wait-for-primary' };
  if (policy === 'serve' || judgement.verdict === 'unrecorded') return SERVE;
  // An unknown digest may be the newer one, pushed past this node: to refuse that would take the tag back in time.
  if (judgement.verdict === 'stale' && policy === 'refuse') return { action: 'refuse', text: warningText(shown) };
  return { action: 'serve-with-warning', text: warningText(shown) };
}

/** In the words of an operator. No quotes and no backslashes, so that it can stand in a Warning header. */
function warningText({ tag, digest, shownBy, authority, judgement }: ShownTag): string {
  const { current, confirmedAt, deletedAt, supersededAt } = judgement;
  const last =
    deletedAt === undefined
      ? `${authority} last showed ${current} at ${isoTime(confirmedAt)}`
      : `${authority} has not had the tag since ${isoTime(deletedAt)}`;
  if (judgement.verdict === 'unknown')
    return `tag ${tag} at ${shownBy} is ${digest}, which ${authority} was not seen to have; it may be newer or older: ${last}`;
  const what = deletedAt === undefined ? `older, replaced by ${isoTime(supersededAt)} at the latest` : 'deleted';
  return `tag ${tag} at ${shownBy} is ${digest}, ${what}: ${last}`;
}

function isoTime(at: number | undefined): string {
  return at === undefined ? 'an unknown time' : new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}
