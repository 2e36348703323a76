import type { Attempt } from '../../failover/plan.ts';
import { isCopied, type Route, toUpstream } from '../../failover/rewrite.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import type { ManifestRequest } from './upstream-read.ts';

/**
 * Notes a manifest that a client was served and that replication should copy. The HEAD of a tag counts too, because containerd pulls by
 * the digest that it tells. A read before a push is no pull.
 * @param digest undefined: nothing was served, or its digest is unknown
 */
export function notePull(
  { method, permit }: Pick<Exchange, 'method' | 'permit'>,
  { pulls }: Uses<'pulls'>,
  route: Route,
  { repository, reference }: ManifestRequest,
  digest: string | undefined,
): void {
  if (digest === undefined || permit.forPush || !isCopied(route)) return;
  if (method === 'HEAD' && reference.includes(':')) return;
  pulls.record({ registry: route.registry, repository, reference, digest });
}

/** A tag that cosign and clients without a referrers API ask for, of any image, whether it has signatures or not. */
const REFERRERS_TAG = /^sha256-[0-9a-f]{64}/;

/**
 * Hints at an image whose pull failed because a fallback lacks it. Only the push upstream knows whether there is such an image.
 * @param lacking the upstreams whose 404 is believed
 */
export function noteLacked(
  { permit, requester: client }: Pick<Exchange, 'permit' | 'requester'>,
  { hints }: Uses<'hints'>,
  route: Route,
  { repository, reference }: ManifestRequest,
  lacking: ReadonlySet<string>,
): void {
  const { push, pull } = route;
  if (!push || permit.forPush || lacking.has(push.upstream) || REFERRERS_TAG.test(reference)) return;
  const lackedBy = pull.filter(({ upstream, replicate }) => replicate && lacking.has(upstream));
  const place = { upstream: push.upstream, repository: toUpstream(route, push, repository), reference };
  hints?.enqueueHints(
    lackedBy.map(({ upstream }) => ({ ...place, kind: 'lacked', lacked: { upstream, client }, from: 'edge' })),
  );
}

/**
 * Hints at a tag that the push upstream served. A proxy cache of Harbor fires no event for what it fetches, so that replication would not
 * know of it before the next comparison. The HEAD of a tag counts too: containerd then pulls by the digest, and asks for the tag no more.
 */
export function noteServed(
  { permit }: Pick<Exchange, 'permit'>,
  { hints }: Uses<'hints'>,
  route: Route,
  { upstream, repository }: Pick<Attempt, 'upstream' | 'repository'>,
  tag: string,
): void {
  if (permit.forPush || !isCopied(route) || upstream !== route.push?.upstream) return;
  hints?.enqueueHints([{ upstream, repository, reference: tag, kind: 'served', from: 'edge' }]);
}
