import { isCopied, type Route, toUpstream } from '../../failover/rewrite.ts';
import type { Exchange } from '../exchange.ts';
import type { ProxyContext } from '../proxy-context.ts';
import { repliedHeaders } from '../reply/header-rules.ts';
import type { Reply } from '../reply/reply.ts';
import type { Head } from './attempt-result.ts';
import type { ManifestPlace } from './manifest-cache.ts';
import { fetchForPush, fetchPull, planAttempts } from './pull.ts';
import type { ManifestRead, PullPlan, PullScope, Relayable, TagAnswer } from './pull-plan.ts';
import { fetchTag, placeOfTag, TagRefused } from './tag-pull.ts';
import { absentCode, type ManifestRequest, upstreamReadFor } from './upstream-read.ts';

const REWRITTEN = new Set([
  'location',
  'link',
  'www-authenticate',
  'warning',
  'content-length',
  'docker-content-digest',
]);
/** What the headers of a request for a manifest may change in its answer. */
const DECISIVE = ['accept', 'if-none-match', 'if-modified-since'];

/**
 * Stage 4 of a read of a manifest: once for all who ask for the same now.
 * @throws OciError, ClientGone
 */
export async function fetchManifest(
  exchange: Exchange,
  context: ProxyContext,
  route: Route,
  request: ManifestRequest,
): Promise<TagAnswer> {
  const place = placeOfTag(route, request);
  const plan = (asked: ManifestRequest): PullPlan => ({
    route,
    attempts: planAttempts(exchange, context, route, asked.repository, 'control', false),
    reading: (attempt) => upstreamReadFor(exchange, context, asked, attempt),
    absent: absentCode(asked),
  });
  const readBy = async (scope: PullScope, planned: PullPlan): Promise<ManifestRead> => {
    const found = place
      ? await fetchTag(scope, context, planned, request, place, (digest) => ({
          ...plan({ ...request, reference: digest }),
          route: { ...route, onAbsent: 'next' },
        }))
      : { result: await fetchPull(scope, context, planned) };
    return { ...found, passedOver: passedOver(route, planned, scope) };
  };
  const read = (scope: PullScope): Promise<ManifestRead> => {
    const planned = plan(request);
    const replan = () => plan(request).attempts;
    if (!exchange.pushing) return readBy(scope, planned);
    return fetchForPush(context, planned, request.method === 'HEAD', replan, (asked) => readBy(scope, asked));
  };
  // Who has just pushed asks what is there now, not what was a moment ago.
  const shared = {
    read,
    keep: ({ result }: ManifestRead) => keep(exchange, context, result, request) && !exchange.pushing,
  };
  try {
    const answer = await context.coalescer.join(keyOf(exchange, context, route, request), exchange, shared);
    exchange.passedOver = answer.passedOver;
    return answer;
  } catch (error) {
    if (error instanceof TagRefused) exchange.notes.tag = error.tag;
    throw error;
  }
}

function passedOver({ pull }: Route, plan: PullPlan, { attempts }: PullScope): string | undefined {
  const preferred = pull[0]?.upstream;
  const asked = attempts.find(({ upstream, outcome }) => upstream === preferred && outcome !== 'served');
  return asked?.reason ?? plan.attempts.find(({ upstream }) => upstream === preferred)?.why;
}

/**
 * The reply to a read by digest out of memory. Only what the upstream that is asked first has shown: whether another one may be asked is
 * for the plan to say.
 */
export function rememberedManifest(
  exchange: Exchange,
  context: ProxyContext,
  route: Route,
  request: ManifestRequest,
): Reply | undefined {
  const candidate = route.pull[0];
  // A push skips what it is told is there: only the push upstream itself knows that.
  if (!candidate || exchange.pushing || !request.reference.includes(':')) return undefined;
  const { upstream } = candidate;
  const repository = toUpstream(route, candidate, request.repository);
  const kept = context.manifestCache.get(placeAt(exchange, context, upstream, repository, request.reference));
  if (!kept) return undefined;
  exchange.notes.memory = true;
  kept.headers ??= [
    ...repliedHeaders(kept.head.headers, 'registry').filter(([name]) => !REWRITTEN.has(name)),
    ['docker-content-digest', request.reference],
    ['content-length', String(kept.bytes.length)],
    ['x-breakwater-upstream', upstream],
  ];
  if (!isKnownTo(exchange, kept.head, request.reference))
    return { status: 200, headers: kept.headers, body: kept.bytes, upstream };
  const headers = kept.headers.filter(([name]) => name !== 'content-length');
  return { status: 304, headers, body: undefined, upstream };
}

/** Whether the client has it already (RFC 9110 section 13.1.2). */
function isKnownTo({ headers }: Exchange, { headers: kept }: Head, digest: string): boolean {
  const known = headers['if-none-match'];
  if (known === undefined) return false;
  const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  const own = kept.get('etag')?.replace(/^W\//, '');
  return tags.includes(`"${digest}"`) || (own !== undefined && tags.includes(own));
}

/** What was read whole, and whose digest was proven, is kept under that digest. @returns whether it served */
function keep(
  exchange: Exchange,
  context: ProxyContext,
  { outcome, answer, body, attempt }: Relayable,
  request: ManifestRequest,
): boolean {
  if (outcome !== 'served') return false;
  if (answer.status !== 200 || !Buffer.isBuffer(body) || answer.redirected) return true;
  const told = answer.headers.get('docker-content-digest');
  const digest = request.reference.includes(':') ? request.reference : told;
  // Of two digests that are both right only the one that it was asked for by is remembered; `prove` checks sha2 only.
  if (digest !== undefined && /^sha(256|384|512):/.test(digest))
    context.manifestCache.set(placeAt(exchange, context, attempt.upstream, attempt.repository, digest), {
      head: answer,
      bytes: body,
    });
  return true;
}

function placeAt(
  exchange: Exchange,
  context: ProxyContext,
  upstream: string,
  repository: string,
  digest: string,
): ManifestPlace {
  const personal = context.upstreams.get(upstream)?.config.credentials === 'forward';
  // Who comes without any is somebody too: what everybody may read there now may be closed in a minute.
  return { upstream, repository, digest, authorization: personal ? (exchange.clientAuthorization ?? '') : undefined };
}

/** All that the answer depends on. */
function keyOf(
  { headers, clientAuthorization, pushing, confined }: Exchange,
  context: ProxyContext,
  route: Route,
  { method, repository, reference }: ManifestRequest,
): string {
  const personal = route.pull.some(({ upstream }) => context.upstreams.get(upstream)?.config.credentials === 'forward');
  return JSON.stringify([
    method,
    route.registry,
    repository,
    reference,
    personal ? clientAuthorization : undefined,
    pushing,
    confined,
    route.onAbsent,
    ...DECISIVE.map((name) => headers[name]),
  ]);
}

/**
 * Takes note of a manifest that a client is served, of which a copy is to be had. A HEAD of a tag counts too: containerd pulls by the digest
 * that it tells. What a push looks at is no pull.
 * @param digest undefined: nothing was served, or it is not known what
 */
export function notePull(
  { method, pushing }: Exchange,
  { pulls }: ProxyContext,
  route: Route,
  { repository, reference }: ManifestRequest,
  digest: string | undefined,
): void {
  if (digest === undefined || pushing || !isCopied(route)) return;
  if (method === 'HEAD' && reference.includes(':')) return;
  pulls?.record({ registry: route.registry, repository, reference, digest });
}
