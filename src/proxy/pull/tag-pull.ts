import { readClocks } from '../../clock/clock.ts';
import type { Failure } from '../../failover/classify.ts';
import { DID } from '../../failover/conclude.ts';
import { lossText, unclearText } from '../../failover/lost-content.ts';
import type { Route } from '../../failover/rewrite.ts';
import { decideTag, keptTagText, type StaleTagDecision } from '../../failover/stale-tag.ts';
import type { TagVerdict } from '../../failover/tag-history.ts';
import { unheardAfter } from '../../failover/unheard.ts';
import { type UpstreamTag, upstreamTag } from '../../ledger/upstream-tag.ts';
import { OciError } from '../../oci/error.ts';
import { accepts, acceptsEveryManifest, isIndexType } from '../../oci/manifest-type.ts';
import type { Uses } from '../proxy-context.ts';
import type { TagNote } from '../request-record.ts';
import { answerDigest } from './answer-digest.ts';
import { discardAnswer } from './attempt-result.ts';
import { fetchPull } from './pull.ts';
import type { PullPlan, PullScope, Relayable, TagAnswer } from './pull-plan.ts';
import type { ManifestRequest } from './upstream-read.ts';

/** The tag must not be served, because it may be older than the client believes. */
export class TagRefused extends OciError {
  readonly tag: TagNote;

  constructor(verdict: TagVerdict, text: string) {
    super('UNAVAILABLE', text);
    this.tag = { verdict, action: 'refused', text };
  }
}

/** A read of a tag, or of a manifest that was deleted. */
export interface TagRead {
  request: ManifestRequest;
  /** The reference at its authoritative upstream. */
  place: UpstreamTag;
  /** The client's Accept header. */
  accept: string | undefined;
  /** The client's own Authorization, for upstreams that get it. */
  authorization: string | undefined;
  /** The client may push, so that it gets the push upstream's own answer. */
  forPush: boolean;
  /** The plan of a read of the same repository by digest. */
  byDigest: (digest: string) => PullPlan;
}

type TagContext = Uses<'ledger' | 'looks' | 'unheard' | 'upstreams'>;

/** The reference of a request at its authoritative upstream. */
export function placeOf(route: Route, { repository, reference }: ManifestRequest): UpstreamTag | undefined {
  return upstreamTag(route, repository, reference);
}

export function isTagRequest({ reference }: ManifestRequest): boolean {
  return !reference.includes(':');
}

/**
 * Stage 4 of a read by tag. A tag never goes back in time silently (rule 6): what the authoritative upstream shows is
 * noted in the ledger, and what another upstream shows is compared with it. Reads of a manifest that was deleted go the same way.
 * @throws OciError, ClientGone
 */
export async function fetchTag(
  scope: PullScope,
  context: TagContext,
  plan: PullPlan,
  read: TagRead,
): Promise<TagAnswer> {
  const { place } = read;
  const began = context.ledger.now();
  const decide = decider(context, plan.route, read);
  const result = await fetchPull(scope, context, {
    ...plan,
    provisional: (early, slow) => {
      if (plan.provisional?.(early, slow)) return true;
      if (!slow.has(place.upstream) || early.attempt.upstream === place.upstream || !isShown(early)) return false;
      return decide(early, 'slow', shownDigest(read, early)).action !== 'serve';
    },
    onAbsent: (upstream, absent) => {
      plan.onAbsent?.(upstream, absent);
      if (upstream !== place.upstream || !context.ledger.find(place)) return;
      // The 404 may be due to the types that the client named, or to the client itself.
      if (absent.forClient || isNarrow(read)) context.looks.noteSoon(context, place);
      // Where the client may push, the attempt has not asked whether the upstream has lost content.
      else if (read.forPush) void context.ledger.recordShown(place, null, began);
      else context.ledger.recordAbsent(place, began);
    },
  });
  if (!isShown(result)) return { result };
  if (result.attempt.upstream === place.upstream) {
    const believed = noteShown(context, read, result, began);
    return read.forPush || (await believed) ? { result } : keptTag(scope, context, plan, read, result);
  }
  const digest = await judgedDigest(context, read, result);
  const decided = decide(result, 'failed', digest);
  if (decided.action !== 'ask-current') return concluded(decided, result);
  try {
    const replaced = await fetchPull(scope, context, { ...read.byDigest(decided.digest), hasReserve: true });
    if (isShown(replaced) && isUsable(read, replaced)) {
      const again = decide(replaced, 'failed', decided.digest);
      if (again.action !== 'serve') return concluded(again, replaced);
      return { result: replaced, tag: { verdict: 'stale', action: 'replaced' } };
    }
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
  }
  return concluded(decide(result, 'failed', digest, true), result);
}

/**
 * Notes what the authoritative upstream shows. An answer that the client's Accept may have changed makes the edge look itself.
 * @returns whether the upstream is believed; see `Ledger.recordShown`
 */
async function noteShown(context: TagContext, read: TagRead, result: Relayable, began: number): Promise<boolean> {
  const { ledger, looks } = context;
  const { place, request } = read;
  const digest = answerDigest(result);
  if (!isTagRequest(request)) ledger.recordManifestSeen(place, request.reference, began);
  else if (isNarrowed(read, result)) {
    const shown = isDoubtful(context, place, digest) ? await lookAtTag(context, place, result) : undefined;
    if (shown !== undefined) {
      const isBelieved = await ledger.recordShown(place, shown, began);
      if (isBelieved && digest !== undefined) looks.noteNarrowed(place, digest, shown);
      return isBelieved;
    }
    looks.noteSoon(context, place);
  } else if (digest !== undefined) return ledger.recordShown(place, digest, began);
  return true;
}

/**
 * Whether a narrowed answer may show that the tag went back: it is an older state of the tag, or content is known to be lost, or the tag was
 * pushed through an edge, and nothing tells yet that this answer belongs to that push.
 */
function isDoubtful({ ledger, looks, upstreams }: TagContext, place: UpstreamTag, digest?: string): boolean {
  const current = ledger.find(place)?.[0]?.digest;
  const verdict = digest === undefined ? 'unknown' : ledger.judge(place, digest).verdict;
  if (verdict !== 'unknown' || current === undefined) return verdict === 'stale';
  if (upstreams.get(place.upstream)?.content.lost !== undefined) return true;
  if (digest === undefined || current === null) return false;
  return ledger.pushes.has(place, current) && !looks.isNarrowed(place, digest, current);
}

async function lookAtTag(context: TagContext, place: UpstreamTag, { attempt }: Relayable): Promise<string | undefined> {
  const upstream = context.upstreams.get(place.upstream);
  return (upstream && (await context.looks.digestAt(upstream, attempt.url, place))) ?? undefined;
}

/**
 * A tag that went back because its upstream has lost content, or may have, is served as before, with a warning (rules 6 and 9): what the
 * ledger knows, from another upstream.
 * @throws TagRefused, ClientGone
 */
async function keptTag(
  scope: PullScope,
  context: TagContext,
  plan: PullPlan,
  read: TagRead,
  shown: Relayable,
): Promise<TagAnswer> {
  const { place, request } = read;
  const loss = lossOf(context, place);
  const text = (result: Relayable, digest: string) =>
    keptTagText(
      { tag: request.reference, digest, shownBy: result.attempt.upstream },
      loss ?? unclearText(place.upstream),
    );
  const current = context.ledger.find(place)?.[0]?.digest;
  // Where the client does not take the type of the current manifest, it may take what another upstream makes of it.
  const plans = current == null ? [] : [read.byDigest(current), ...(isNarrow(read) ? [plan] : [])];
  for (const one of plans) {
    const attempts = one.attempts.filter(({ upstream }) => upstream !== place.upstream);
    if (current == null || attempts.length === 0) continue;
    try {
      const kept = await fetchPull(scope, context, { ...one, attempts, hasReserve: true });
      if (isShown(kept) && isUsable(read, kept) && (await judgedDigest(context, read, kept)) === current) {
        noteLoss(scope, place, loss === undefined ? 'content-unclear' : 'content-lost');
        return { result: kept, tag: { verdict: 'current', action: 'warned', text: text(kept, current) } };
      }
      discardAnswer(kept);
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
    }
  }
  const said = `${text(shown, shownDigest(read, shown) ?? 'an older manifest')}; no other upstream shows ${current} to this client`;
  if (plan.route.staleTags === 'refuse') throw new TagRefused('stale', said);
  return { result: shown, tag: { verdict: 'stale', action: 'warned', text: said } };
}

/** The attempt that brought an older manifest has failed: metrics, log and headers say why another upstream served. */
function noteLoss({ attempts }: PullScope, { upstream }: UpstreamTag, reason: Failure): void {
  const attempt = attempts.find((one) => one.upstream === upstream && one.outcome === 'served');
  const detail = `it shows an older manifest, but it ${DID[reason]}`;
  if (attempt) Object.assign(attempt, { outcome: 'failed', reason, detail });
}

/** What is said of content that the upstream of a tag has lost; undefined: none is known to be lost. */
function lossOf({ upstreams }: Uses<'upstreams'>, { upstream }: UpstreamTag): string | undefined {
  const lost = upstreams.get(upstream)?.content.lost;
  return lost && lossText(upstream, lost, readClocks());
}

/** Whether the client's Accept header leaves out types, so that a registry may convert a tag for it. */
function isNarrow({ accept, request }: TagRead): boolean {
  return isTagRequest(request) && !acceptsEveryManifest(accept);
}

/** Whether an answer may be a part of what the tag is at, or a conversion. An index is neither. */
export function isNarrowed(read: TagRead, { answer }: Relayable): boolean {
  return isNarrow(read) && !isIndexType(answer.headers.get('content-type'));
}

function shownDigest({ request }: TagRead, result: Relayable): string | undefined {
  return isTagRequest(request) ? answerDigest(result) : request.reference;
}

/** The digest of the tag at the upstream that answered. Where the client's Accept may have changed the answer, the edge asks for it. */
async function judgedDigest(context: TagContext, read: TagRead, result: Relayable): Promise<string | undefined> {
  const { place, authorization } = read;
  const digest = shownDigest(read, result);
  if (!isNarrowed(read, result) || !context.ledger.find(place)) return digest;
  if (digest !== undefined && context.ledger.judge(place, digest).verdict === 'current') return digest;
  const { upstream: name, url, repository } = result.attempt;
  const upstream = context.upstreams.get(name);
  const there = { upstream: name, repository, tag: place.tag };
  return (upstream && (await context.looks.digestAt(upstream, url, there, authorization))) ?? undefined;
}

/** Whether the client can use a manifest that it gets in place of the one that it asked for. */
function isUsable(read: TagRead, { answer }: Relayable): boolean {
  return !isNarrow(read) || accepts(read.accept, answer.headers.get('content-type'));
}

type Decided = StaleTagDecision & { verdict: TagVerdict };

/** Decides about answers of other upstreams than the authoritative one. */
function decider(
  context: Uses<'ledger' | 'unheard' | 'upstreams'>,
  route: Route,
  { request, place, forPush }: TagRead,
): (result: Relayable, authorityIs: 'slow' | 'failed', digest: string | undefined, currentAsked?: boolean) => Decided {
  const loss = () => (forPush ? undefined : lossOf(context, place));
  return (result, authorityIs, digest, currentAsked = false) => {
    const confirmedAt = context.ledger.find(place)?.[0]?.confirmedAt;
    // Other edges take writes only where there is a push upstream, and a digest has no age.
    const unheard = route.push && isTagRequest(request) ? unheardAfter(context.unheard(), confirmedAt) : undefined;
    if (digest === undefined) {
      if (authorityIs === 'slow') return { action: 'wait-for-primary', verdict: 'unrecorded' };
      if (!loss() && !unheard && confirmedAt === undefined) return { action: 'serve', verdict: 'unrecorded' };
    }
    // An answer without a digest may be newer or older than what the ledger knows of the tag.
    const judgement = context.ledger.judge(place, digest ?? '');
    const decided = decideTag({
      tag: request.reference,
      digest: digest ?? 'a manifest whose digest it does not tell',
      shownBy: result.attempt.upstream,
      authority: place.upstream,
      authorityIs,
      judgement,
      loss: loss(),
      unheard,
      policy: route.staleTags,
      currentAsked,
      now: readClocks(),
    });
    const isUnknown = unheard && (judgement.verdict === 'current' || judgement.verdict === 'unrecorded');
    return { ...decided, verdict: isUnknown ? 'unknown' : judgement.verdict };
  };
}

/** @throws TagRefused */
function concluded(decided: Decided, result: Relayable): TagAnswer {
  const { verdict } = decided;
  if (decided.action === 'refuse') throw new TagRefused(verdict, decided.text);
  if (decided.action === 'serve-with-warning')
    return { result, tag: { verdict, action: 'warned', text: decided.text } };
  return { result, tag: { verdict, action: 'served' } };
}

/** Whether the answer shows a manifest, or redirects to one. */
export function isShown({ outcome, answer }: Relayable): boolean {
  return outcome === 'redirect' || (outcome === 'served' && (answer.status === 200 || answer.status === 304));
}
