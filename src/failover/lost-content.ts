import { type ClockReading, wallTime } from '../clock/clock.ts';
import { imageName } from '../oci/reference.ts';
import type { TagHistory } from './tag-history.ts';
import type { CanaryState, ContentLoss } from './view.ts';

/**
 * What a push upstream has of an image whose push it acknowledged. `there`: its tag shows the manifest, and storage has it. `gone`: storage
 * lacks the manifest or a blob of it. `elsewhere`: storage has the manifest, but the tag shows another one or none. `denied`: the credentials
 * that look may not read it, or the upstream may hide it from them. `unclear`: it could not be asked.
 */
export type FoundPush = 'there' | 'gone' | 'elsewhere' | 'denied' | 'unclear';

/** An acknowledged push of a tag that was not deleted, moved or accepted since. The repository has its name at the upstream. */
export interface StandingPush {
  repository: string;
  tag: string;
  digest: string;
  /** When it was acknowledged; ledger time. */
  at: number;
  /** A later push of the same tag was acknowledged. */
  overwritten: boolean;
  /** It was acknowledged when an edge knew that content was lost, so it says nothing about the pushes before. */
  afterLoss: boolean;
}

/** A push that was asked for. */
export interface PushEvidence extends Pick<StandingPush, 'repository' | 'tag' | 'at' | 'overwritten' | 'afterLoss'> {
  found: FoundPush;
  /** An earlier look found it gone. */
  missed?: boolean;
}

export interface ContentFacts {
  /** The canary, read after the pushes. */
  canary: CanaryState;
  /** When the last look began that found all well. Content may have been lost since, and pushed to again. */
  soundAt: number;
  /** Content is known to be lost. */
  known: boolean;
  now: number;
}

/**
 * `lost`: the upstream has lost what was pushed since. `intact`: it has the newest pushes. `unclear`: the upstream could not be asked, so
 * it may have lost content. `unknown`: there is too little evidence of a loss, and another look would find no more.
 */
export type ContentVerdict =
  | { verdict: 'lost'; since: number; gone: number }
  | { verdict: 'intact' }
  | { verdict: 'unclear' }
  | { verdict: 'unknown' };

/**
 * Whether an upstream is believed that takes back a tag or lacks content. `unclear`: it could not be asked for what it acknowledged, so
 * nothing is noted, and a later look decides.
 */
export type ContentTrust = 'believed' | 'lost' | 'unclear';

/** Why an upstream is not believed. */
export interface ContentDoubt {
  trust: Exclude<ContentTrust, 'believed'>;
  text: string;
}

/** A look at what an upstream has: what it says within the time that a read can wait, and in the end. Neither rejects. */
export interface ContentAnswer {
  /** `unclear` also if the look is not yet through. */
  soon: Promise<ContentTrust>;
  last: Promise<ContentTrust>;
}

/** The newest pushes that must all be gone. A single one may have been deleted without this edge. */
const LEAST_GONE = 2;
/** Garbage collection may remove an overwritten manifest, but hardly one that is so new. */
const OVERWRITTEN_MS = 3_600_000;
/** A loss is noticed within so many milliseconds in most cases. A push of that time may have come after the loss. */
const UNNOTICED_MS = 600_000;

/**
 * Whether an upstream has lost content (rule 9), such as by a restored snapshot or a lost volume. It has, if from some moment on none of two
 * or more pushes is there. Retention and single deletions leave the newest pushes there; a tag that was moved in the registry leaves its
 * manifest there. A push that could not be asked may be gone or there, so one of them alone changes nothing for others (rule 8).
 * @param pushes newest first
 */
export function judgeContent(pushes: readonly PushEvidence[], facts: ContentFacts): ContentVerdict {
  const { canary, soundAt, known, now } = facts;
  const sound = Math.max(soundAt, now - UNNOTICED_MS);
  /** Pushes that are gone, up to the first one that could not be asked. */
  let gone = 0;
  /** The others that are gone or may be. */
  let unclear = 0;
  let since = now;
  let isSeen = false;
  let isMissed = false;
  /** Tags whose newest push is gone, or may be. */
  const goneTags = new Set<string>();
  for (const { at, found, missed, overwritten, afterLoss, ...place } of pushes) {
    const tag = imageName(place.repository, place.tag);
    const mayBeCollected = overwritten && (now - at > OVERWRITTEN_MS || !goneTags.has(tag));
    if (found === 'denied') {
      // The other pushes are evidence enough for a loss, but not for the return of this one.
      isMissed ||= missed === true;
      continue;
    }
    if (found === 'elsewhere' || (found === 'gone' && mayBeCollected)) continue;
    if (found === 'there') {
      isSeen = true;
      // A push that may have come after the loss says nothing, but an older one than those that are gone does.
      if (afterLoss || (gone + unclear === 0 && at > sound)) continue;
      break;
    }
    goneTags.add(tag);
    if (found === 'unclear' || unclear > 0) unclear += 1;
    else {
      gone += 1;
      since = at;
    }
  }
  const needed = known ? 1 : LEAST_GONE;
  if (canary === 'failing') return { verdict: 'unclear' };
  if (canary === 'none') return { verdict: 'unknown' };
  if (gone >= needed) return { verdict: 'lost', since, gone };
  if (gone + unclear >= needed) return { verdict: 'unclear' };
  return isSeen && unclear === 0 && !isMissed ? { verdict: 'intact' } : { verdict: 'unknown' };
}

/** Whether a look may end with these pushes, the newest: nothing that is older than them changes the verdict. */
export function endsLook(pushes: readonly PushEvidence[], { soundAt, now }: Omit<ContentFacts, 'canary'>): boolean {
  const sound = Math.max(soundAt, now - UNNOTICED_MS);
  return (
    pushes.filter(({ found }) => found === 'unclear').length >= LEAST_GONE ||
    pushes.some(({ at, found, afterLoss }) => found === 'there' && !afterLoss && at <= sound)
  );
}

/** When a push was acknowledged, and for how many milliseconds the edge had known of a loss then; undefined: it knew of none. */
interface PushTime {
  at: number;
  lossKnownFor: number | undefined;
}

/**
 * Which pushes were acknowledged after a loss that an edge knew of. Their own edge may have learnt of it later: a push by an edge that knew
 * tells since when.
 */
export function afterLoss(pushes: readonly PushTime[]): (push: PushTime) => boolean {
  const losses = pushes.flatMap(({ at, lossKnownFor }) =>
    lossKnownFor === undefined ? [] : [{ known: at - lossKnownFor, until: at }],
  );
  return ({ at, lossKnownFor }) =>
    lossKnownFor !== undefined || losses.some(({ known, until }) => at > known && at < until);
}

/** What is said of an upstream that takes back a tag, and could not be asked whether it has lost content. */
export function unclearText(upstream: string): string {
  return `${upstream} shows an older manifest or none, and it could not be asked whether it has lost content`;
}

/** What happened and what to type, for the operator and for clients. */
export function lossText(upstream: string, { since, gone, images }: ContentLoss, now: ClockReading): string {
  const time = new Date(wallTime(since, now)).toISOString().replace(/\.\d+Z$/, 'Z');
  const what = gone === 1 ? 'a push that it acknowledged' : `${gone} pushes that it acknowledged`;
  return `${upstream} has lost content since ${time}: ${what} cannot be found there (${images.join(', ')}); restore them, or run breakwater accept ${upstream}`;
}

/**
 * Whether an upstream takes back what is known of a tag: it shows an older digest, or none. A digest that was never seen is most likely
 * newer, unless the known one was pushed through an edge.
 * @param digest what the upstream shows; null: it does not have the tag
 * @param pushed the known digest was pushed, and the push was acknowledged
 */
export function takesBack(
  history: TagHistory | undefined,
  digest: string | null,
  at: number,
  pushed: boolean,
): boolean {
  const [newest, ...older] = history ?? [];
  if (!newest || newest.digest === null || newest.digest === digest || at < newest.confirmedAt) return false;
  return digest === null || pushed || older.some((entry) => entry.digest === digest);
}

/**
 * The acknowledged push that one edge has as the newest state of a tag, while the other edge saw another state later. That edge may not have
 * known of the push, and then it could not tell a restore from a tag that was moved. Undefined: there is none, or that edge knew: the tag was
 * deleted or accepted in between.
 * @param pushedAt when an upstream acknowledged a push of the tag with this digest; undefined: it is not known to have
 */
export function untoldPush(
  mine: TagHistory,
  theirs: TagHistory,
  pushedAt: (digest: string) => number | undefined,
): string | undefined {
  const confirmed = (history: TagHistory) => history[0]?.confirmedAt ?? Number.NEGATIVE_INFINITY;
  const [before, after] = confirmed(mine) < confirmed(theirs) ? [mine, theirs] : [theirs, mine];
  const [pushed, shown] = [before[0]?.digest, after[0]?.digest];
  if (pushed == null || shown === undefined || shown === pushed) return undefined;
  const at = pushedAt(pushed);
  if (at === undefined || (shown !== null && (pushedAt(shown) ?? at) > at)) return undefined;
  const wasSeen = after.some(({ digest }) => digest === pushed);
  const wasDeleted = after.some(({ digest, confirmedAt }) => digest === null && confirmedAt > at);
  return wasSeen && wasDeleted ? undefined : pushed;
}
