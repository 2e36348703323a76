import { readClocks } from '../../clock/clock.ts';
import type { Route } from '../../failover/rewrite.ts';
import { decideTag, type StaleTagDecision } from '../../failover/stale-tag.ts';
import type { TagVerdict } from '../../failover/tag-history.ts';
import { type UpstreamTag, upstreamTag } from '../../ledger/upstream-tag.ts';
import { OciError } from '../../oci/error.ts';
import { isDigest, sha256 } from '../../oci/reference.ts';
import type { Uses } from '../proxy-context.ts';
import type { TagNote } from '../request-record.ts';
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

/** The tag that a request names. Undefined if it names a digest. */
export function placeOfTag(route: Route, { repository, reference }: ManifestRequest): UpstreamTag | undefined {
  return reference.includes(':') ? undefined : upstreamTag(route, repository, reference);
}

/**
 * Stage 4 of a read by tag. A tag never goes back in time silently (rule 6): what the authoritative upstream shows is
 * noted in the ledger, and what another upstream shows is compared with it.
 * @param byDigest the plan of a read of the same repository by digest
 * @throws OciError, ClientGone
 */
export async function fetchTag(
  scope: PullScope,
  context: Uses<'ledger' | 'upstreams'>,
  plan: PullPlan,
  request: ManifestRequest,
  place: UpstreamTag,
  byDigest: (digest: string) => PullPlan,
): Promise<TagAnswer> {
  const began = context.ledger.now();
  const decide = decider(context, plan.route, request, place);
  const result = await fetchPull(scope, context, {
    ...plan,
    provisional: (early, slow) => {
      if (!slow.has(place.upstream) || early.attempt.upstream === place.upstream || !isShown(early)) return false;
      return decide(early, 'slow').action !== 'serve';
    },
    onAbsent: (upstream) => {
      if (upstream === place.upstream) context.ledger.recordAbsent(place, began);
    },
  });
  if (!isShown(result)) return { result };
  if (result.attempt.upstream === place.upstream) {
    const digest = answerDigest(result);
    if (digest !== undefined) context.ledger.recordSeen(place, digest, began);
    return { result };
  }
  const decided = decide(result, 'failed');
  if (decided.action !== 'ask-current') return concluded(decided, result);
  try {
    const replaced = await fetchPull(scope, context, byDigest(decided.digest));
    if (isShown(replaced)) return { result: replaced, tag: { verdict: 'stale', action: 'replaced' } };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
  }
  return concluded(decide(result, 'failed', true), result);
}

type Decided = StaleTagDecision & { verdict: TagVerdict };

/** Decides about answers of other upstreams than the authoritative one. */
function decider(
  context: Uses<'ledger'>,
  route: Route,
  { reference }: ManifestRequest,
  place: UpstreamTag,
): (result: Relayable, authorityIs: 'slow' | 'failed', currentAsked?: boolean) => Decided {
  return (result, authorityIs, currentAsked = false) => {
    const digest = answerDigest(result);
    if (digest === undefined) {
      if (authorityIs === 'slow') return { action: 'wait-for-primary', verdict: 'unrecorded' };
      if (!context.ledger.find(place)) return { action: 'serve', verdict: 'unrecorded' };
    }
    // An answer without a digest may be newer or older than what the ledger knows of the tag.
    const judgement = context.ledger.judge(place, digest ?? '');
    const decided = decideTag({
      tag: reference,
      digest: digest ?? 'a manifest whose digest it does not tell',
      shownBy: result.attempt.upstream,
      authority: place.upstream,
      authorityIs,
      judgement,
      policy: route.staleTags,
      currentAsked,
      now: readClocks(),
    });
    return { ...decided, verdict: judgement.verdict };
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

/** The digest of the manifest that an upstream shows. Undefined if the upstream does not tell it. */
export function answerDigest({ answer, body }: Relayable): string | undefined {
  const told = answer.headers.get('docker-content-digest');
  if (told !== undefined && isDigest(told)) return told;
  if (answer.status !== 200 || !Buffer.isBuffer(body)) return undefined;
  return sha256(body);
}
