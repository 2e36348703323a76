import { type ClockReading, wallTime } from '../clock/clock.ts';
import type { Candidate, Route } from './rewrite.ts';
import type { Judgement } from './tag-history.ts';
import type { Unheard } from './unheard.ts';

export interface ShownTag {
  /** A digest: the manifest itself was deleted. */
  tag: string;
  /** The digest that an upstream other than `authority` shows. */
  digest: string;
  shownBy: string;
  /** The authoritative upstream, see `authorityOf`. */
  authority: string;
  /** `slow`: the authority is late but still answering (a hedge). `failed`: the authority is down or failed this request. */
  authorityIs: 'slow' | 'failed';
  /** The ledger's judgement of `digest`. */
  judgement: Judgement;
  /** What is said of content that the authority has lost (rule 9). Undefined: it has lost none. */
  loss?: string | undefined;
  /** Another edge may have moved the tag since the ledger last saw it. */
  unheard?: Unheard | undefined;
  policy: Route['staleTags'];
  /** The current digest was requested from every upstream without success. */
  currentAsked: boolean;
  now: ClockReading;
}

/**
 * `serve`: like any answer of a fallback. `serve-with-warning`: with `text` as a Warning header and a log line, and counted. `ask-current`:
 * request `digest`, which the push upstream last showed, from the remaining upstreams; then decide again with `currentAsked`.
 * `wait-for-primary`: drop this answer and wait for the authority until its deadline. `refuse`: 503 with `text`.
 */
export type StaleTagDecision =
  | { action: 'serve' }
  | { action: 'serve-with-warning'; text: string }
  | { action: 'ask-current'; digest: string }
  | { action: 'refuse'; text: string }
  | { action: 'wait-for-primary' };

const SERVE: StaleTagDecision = { action: 'serve' };

/** The upstream whose tags are authoritative: the push upstream, or the first upstream of a read-only route. */
export function authorityOf(route: Route): Candidate | undefined {
  return route.push ?? route.pull[0];
}

/** What to do with a tag that an upstream other than the authority shows (rule 6: a tag never silently goes back in time). */
export function decideTag(shown: ShownTag): StaleTagDecision {
  const decided = decideByLedger(shown);
  const { loss, authorityIs } = shown;
  if (loss === undefined || authorityIs === 'slow' || decided.action !== 'serve') return decided;
  return { action: 'serve-with-warning', text: keptTagText(shown, loss) };
}

/** What is said of a tag that is served as it was before its authority lost content. */
export function keptTagText(
  { tag, digest, shownBy }: Pick<ShownTag, 'tag' | 'digest' | 'shownBy'>,
  loss: string,
): string {
  return `tag ${tag} at ${shownBy} is ${digest}: ${loss}`;
}

function decideByLedger(shown: ShownTag): StaleTagDecision {
  const { judgement, policy, unheard } = shown;
  if (judgement.verdict === 'current' && !unheard) return SERVE;
  const current = judgement.verdict === 'stale' && !shown.currentAsked ? judgement.current : undefined;
  if (current !== undefined && policy !== 'serve') return { action: 'ask-current', digest: current };
  // A slow authority knows better than the ledger, so only a confirmed digest may overtake it.
  if (shown.authorityIs === 'slow') return { action: 'wait-for-primary' };
  if (policy === 'serve' || (judgement.verdict === 'unrecorded' && !unheard)) return SERVE;
  // An unknown digest may be newer, pushed past this edge: a refusal would take the tag back in time.
  if (judgement.verdict !== 'unknown' && policy === 'refuse') return { action: 'refuse', text: warningText(shown) };
  return { action: 'serve-with-warning', text: warningText(shown) };
}

/** Text for the operator, without quotes and backslashes, so that it fits into a Warning header. */
function warningText(shown: ShownTag): string {
  const { tag, digest, shownBy, authority, judgement, unheard, now } = shown;
  const isoTime = (at: number | undefined) =>
    at === undefined ? 'an unknown time' : new Date(wallTime(at, now)).toISOString().replace(/\.\d+Z$/, 'Z');
  const { current, confirmedAt, deletedAt, supersededAt } = judgement;
  const last =
    deletedAt === undefined
      ? `${authority} last showed ${current} at ${isoTime(confirmedAt)}`
      : `${authority} has not had the tag since ${isoTime(deletedAt)}`;
  if (unheard && (judgement.verdict === 'current' || judgement.verdict === 'unrecorded')) {
    const from = unheard.since === undefined ? '' : ` since ${isoTime(unheard.since)}`;
    const to = unheard.until === undefined ? '' : `, until ${isoTime(unheard.until)}`;
    const known = judgement.verdict === 'current' ? `: ${last}` : '';
    return `tag ${tag} at ${shownBy} is ${digest}, and its age is unknown, because pushes through the edge at ${unheard.peer} may have been missed${from}${to}${known}`;
  }
  if (tag === digest)
    return `manifest ${digest} at ${shownBy} was deleted: ${authority} has not had it since ${isoTime(deletedAt)}`;
  if (judgement.verdict === 'unknown')
    return `tag ${tag} at ${shownBy} is ${digest}, which ${authority} was not seen to have; it may be newer or older: ${last}`;
  const what = deletedAt === undefined ? `older, replaced by ${isoTime(supersededAt)} at the latest` : 'deleted';
  return `tag ${tag} at ${shownBy} is ${digest}, ${what}: ${last}`;
}
