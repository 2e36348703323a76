import { type Route, toUpstream } from '../../failover/rewrite.ts';
import { upstreamTag } from '../../ledger/upstream-tag.ts';
import { isSchema1Type } from '../../oci/manifest-type.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { repliedHeaders } from '../reply/header-rules.ts';
import type { Reply } from '../reply/reply.ts';
import type { AnswerHead } from './attempt-result.ts';
import type { ManifestPlace } from './manifest-cache.ts';
import { notePull } from './note-pull.ts';
import type { Relayable } from './pull-plan.ts';
import { REWRITTEN } from './pull-reply.ts';
import type { ManifestRequest } from './upstream-read.ts';

const REWRITTEN_HERE = new Set([...REWRITTEN, 'docker-content-digest']);

/**
 * The reply to a read by digest from the cache. Only the preferred upstream's manifests count, because the plan decides whether another
 * upstream may be asked.
 */
export function cachedManifest(
  exchange: Exchange,
  context: Uses<'ledger' | 'manifestCache' | 'pulls' | 'upstreams'>,
  route: Route,
  request: ManifestRequest,
): Reply | undefined {
  const candidate = route.pull[0];
  // A push skips the upload of content that is said to exist: only the push upstream itself knows that.
  if (!candidate || exchange.permit.forPush || !request.reference.includes(':')) return undefined;
  const place = upstreamTag(route, request.repository, request.reference);
  // Another edge of the site may have deleted it.
  if (place && context.ledger.isDeleted(place)) return undefined;
  const { upstream } = candidate;
  const repository = toUpstream(route, candidate, request.repository);
  const kept = context.manifestCache.get(placeAt(exchange, context, upstream, repository, request.reference));
  if (!kept) return undefined;
  exchange.notes.fetch.memory = true;
  notePull(exchange, context, route, request, request.reference);
  kept.headers ??= [
    ...repliedHeaders(kept.head.headers, 'registry', REWRITTEN_HERE),
    ['docker-content-digest', request.reference],
    ['content-length', String(kept.bytes.length)],
    ['x-breakwater-upstream', upstream],
  ];
  if (!isKnownTo(exchange, kept.head, request.reference))
    return { status: 200, headers: kept.headers, body: kept.bytes, upstream };
  const headers = kept.headers.filter(([name]) => name !== 'content-length');
  return { status: 304, headers, body: undefined, upstream };
}

/** Whether the client has the manifest already (RFC 9110 section 13.1.2). */
function isKnownTo({ headers }: Exchange, { headers: kept }: AnswerHead, digest: string): boolean {
  const known = headers['if-none-match'];
  if (known === undefined) return false;
  const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  const own = kept.get('etag')?.replace(/^W\//, '');
  return tags.includes(`"${digest}"`) || (own !== undefined && tags.includes(own));
}

/** Keeps a manifest that was read whole, under the digest that was verified. @returns whether the upstream served it */
export function keepManifest(
  exchange: Exchange,
  context: Uses<'ledger' | 'manifestCache' | 'upstreams'>,
  route: Route,
  { outcome, answer, body, attempt }: Relayable,
  request: ManifestRequest,
): boolean {
  if (outcome !== 'served') return false;
  if (answer.status !== 200 || !Buffer.isBuffer(body) || answer.redirected) return true;
  // The digest of a conversion to schema 1 leads to nothing.
  if (isSchema1Type(answer.headers.get('content-type'))) return true;
  const told = answer.headers.get('docker-content-digest');
  const digest = request.reference.includes(':') ? request.reference : told;
  const place = digest === undefined ? undefined : upstreamTag(route, request.repository, digest);
  if (place && context.ledger.isDeleted(place)) return true;
  // A manifest can have two right digests: the one in the request counts. `checkBody` checks sha2 only.
  if (digest !== undefined && /^sha(256|384|512):/.test(digest))
    context.manifestCache.set(placeAt(exchange, context, attempt.upstream, attempt.repository, digest), {
      head: answer,
      bytes: body,
    });
  return true;
}

function placeAt(
  exchange: Exchange,
  context: Uses<'upstreams'>,
  upstream: string,
  repository: string,
  digest: string,
): ManifestPlace {
  const personal = context.upstreams.get(upstream)?.config.credentials === 'forward';
  // A client without credentials has a key of its own: what everybody may read now may be closed in a minute.
  return { upstream, repository, digest, authorization: personal ? (exchange.clientAuthorization ?? '') : undefined };
}
