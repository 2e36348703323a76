import { monotonicNow } from '../../clock/clock.ts';
import type { Attempt } from '../../failover/plan.ts';
import { isCopied, type Route, toUpstream } from '../../failover/rewrite.ts';
import { type UpstreamTag, upstreamTag } from '../../ledger/upstream-tag.ts';
import { isDigest } from '../../oci/reference.ts';
import type { Hint } from '../../replication/hint.ts';
import type { Exchange, StageNotes } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import type { PushAnswer } from './push.ts';
import type { PushPlan, WriteRequest } from './push-plan.ts';

/**
 * Notes an acknowledged write before its client gets the reply: the tags that became current, or were deleted.
 * @returns whether the write is one that the other edges must hear of
 */
export function notePush(
  exchange: Exchange,
  context: Uses<'coalescer' | 'hints' | 'ledger' | 'manifestCache' | 'upstreams'>,
  { request, route, attempt }: PushPlan,
  { status, headers }: PushAnswer,
): boolean {
  if (status < 200 || status >= 300) return false;
  const { upstream, repository } = attempt;
  if (request.kind === 'blob' && request.method === 'DELETE')
    context.upstreams.get(upstream)?.forgetDeleted(repository, request.digest);
  if (request.kind !== 'manifest') return false;
  const { reference } = request;
  if (headers.get('oci-subject') !== undefined) context.upstreams.get(upstream)?.referrers.noteList();
  const kind = request.method === 'DELETE' ? 'delete' : 'push';
  const tags = kind === 'push' ? [...new Set([reference, ...taggedBy(request, headers)])] : [];
  if (kind === 'delete') noteDeletion(context, route, request.repository, upstream, reference);
  else {
    const digest = pushedDigest(reference, headers);
    if (digest !== undefined) exchange.notes.fetch.digest = digest;
    noteTags(context, attempt, tags, digest);
  }
  if (!isCopied(route)) return true;
  const references = kind === 'push' ? tags : [reference];
  noteHints(
    exchange,
    context,
    references.map((one) => ({ upstream, repository, reference: one, kind, from: 'edge' })),
  );
  return true;
}

/** The tags of a push by digest that the upstream says it made (distribution-spec 1.2, "Pushing a manifest with tags"). */
function taggedBy({ query }: Pick<WriteRequest, 'query'>, headers: PushAnswer['headers']): string[] {
  const made = new Set(
    headers
      .joined('oci-tag')
      ?.split(',')
      .map((tag) => tag.trim()),
  );
  return query.getAll('tag').filter((tag) => made.has(tag));
}

function noteTags(
  { coalescer, ledger, upstreams }: Uses<'coalescer' | 'ledger' | 'upstreams'>,
  { upstream, repository }: Attempt,
  references: readonly string[],
  digest: string | undefined,
): void {
  coalescer.forget();
  const at = ledger.now();
  const lost = upstreams.get(upstream)?.content.lost;
  const lossKnownFor = lost && monotonicNow() - lost.noticedAt;
  for (const reference of references) {
    if (reference.includes(':')) ledger.recordManifestSeen({ upstream, repository }, reference, at);
    else if (digest !== undefined)
      ledger.recordPushed({ upstream, repository, tag: reference }, digest, at, lossKnownFor);
  }
}

/**
 * Notes that the push upstream does not have a tag or a manifest any more. From now on nothing in memory shows it, and no other upstream
 * does while this one answers.
 * @param repository the client's name
 * @returns the references that are gone with it, as the upstream has them
 */
export function noteDeletion(
  { coalescer, ledger, manifestCache, upstreams }: Uses<'coalescer' | 'ledger' | 'manifestCache' | 'upstreams'>,
  route: Route,
  repository: string,
  upstream: string,
  reference: string,
): UpstreamTag[] {
  coalescer.forget();
  const place = upstreamTag(route, repository, reference);
  if (place?.upstream !== upstream) return [];
  upstreams.get(upstream)?.forgetDeleted(place.repository);
  const at = ledger.now();
  if (!reference.includes(':')) {
    ledger.recordDeleted(place, at);
    return [place];
  }
  for (const candidate of route.pull)
    manifestCache.forget(candidate.upstream, toUpstream(route, candidate, repository), reference);
  return ledger.recordDigestDeleted(upstream, place.repository, reference, at);
}

/**
 * The digest of a manifest that was accepted. Only its Location is mandatory (distribution-spec "Pushing manifests").
 */
function pushedDigest(reference: string, headers: PushAnswer['headers']): string | undefined {
  const told =
    headers.get('docker-content-digest') ??
    (reference.includes(':') ? reference : headers.get('location')?.replace(/^.*\/|\?.*$/g, ''));
  return told !== undefined && isDigest(told) ? told : undefined;
}

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
