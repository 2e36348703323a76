import { type Route, toUpstream } from '../failover/rewrite.ts';
import type { Edge } from './edge.ts';
import type { Exchange } from './exchange.ts';
import { repliedHeaders } from './header-rules.ts';
import type { ManifestPlace } from './manifest-memory.ts';
import { fetchPull, type PullPlan, planAttempts, type Relayable } from './pull.ts';
import { absentCode, type ManifestRequest, readingFor } from './reading.ts';
import type { Reply } from './reply.ts';
import { fetchTag, placeOfTag, type TagAnswer } from './tag-read.ts';

/** A manifest as it was read for all who asked for it. */
export interface ManifestRead extends TagAnswer {
  /** Why the upstream that would be asked first was not, as the plan had it. */
  passedOver: string | undefined;
}

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
  edge: Edge,
  route: Route,
  request: ManifestRequest,
): Promise<TagAnswer> {
  const place = placeOfTag(route, request);
  const plan = (asked: ManifestRequest): PullPlan => ({
    route,
    attempts: planAttempts(edge, route, asked.repository, 'control', false),
    reading: (attempt) => readingFor(exchange, edge, asked, attempt),
    absent: absentCode(asked),
  });
  const answer = await edge.herd.join(keyOf(exchange, edge, route, request), exchange, async (scope) => {
    const planned = plan(request);
    const read = place
      ? await fetchTag(scope, edge, planned, request, place, (digest) => ({
          ...plan({ ...request, reference: digest }),
          route: { ...route, onAbsent: 'next' },
        }))
      : { result: await fetchPull(scope, edge, planned) };
    keep(exchange, edge, read.result, request);
    return { ...read, passedOver: passedOver(route, planned) };
  });
  exchange.passedOver = answer.passedOver;
  return answer;
}

function passedOver(route: Route, plan: PullPlan): string | undefined {
  return plan.attempts.find((attempt) => attempt.upstream === route.pull[0]?.upstream)?.why;
}

/**
 * The reply to a read by digest out of memory. Only what the upstream that is asked first has shown: whether another one may be asked is
 * for the plan to say.
 */
export function rememberedManifest(
  exchange: Exchange,
  edge: Edge,
  route: Route,
  request: ManifestRequest,
): Reply | undefined {
  const candidate = route.pull[0];
  if (!candidate || !request.reference.includes(':')) return undefined;
  const { upstream } = candidate;
  const repository = toUpstream(route, candidate, request.repository);
  const kept = edge.memory.get(placeAt(exchange, edge, upstream, repository, request.reference));
  if (!kept) return undefined;
  exchange.notes.memory = true;
  kept.headers ??= [
    ...repliedHeaders(kept.head.headers, 'registry').filter(([name]) => !REWRITTEN.has(name)),
    ['docker-content-digest', request.reference],
    ['content-length', String(kept.bytes.length)],
    ['x-breakwater-upstream', upstream],
  ];
  return { status: 200, headers: kept.headers, body: kept.bytes, upstream };
}

/** What was read whole, and whose digest was proven, is kept under that digest. */
function keep(
  exchange: Exchange,
  edge: Edge,
  { outcome, answer, body, attempt }: Relayable,
  request: ManifestRequest,
): void {
  if (outcome !== 'served' || answer.status !== 200 || !Buffer.isBuffer(body) || answer.redirected) return;
  const told = answer.headers.get('docker-content-digest');
  const digest = request.reference.includes(':') ? request.reference : told;
  // Of two digests that are both right only the one that it was asked for by is remembered; `prove` checks sha2 only.
  if (digest === undefined || !/^sha(256|384|512):/.test(digest)) return;
  edge.memory.set(placeAt(exchange, edge, attempt.upstream, attempt.repository, digest), { head: answer, bytes: body });
}

function placeAt(exchange: Exchange, edge: Edge, upstream: string, repository: string, digest: string): ManifestPlace {
  const personal = edge.upstreams.get(upstream)?.config.credentials === 'forward';
  return { upstream, repository, digest, authorization: personal ? exchange.headers.authorization : undefined };
}

/** All that the answer depends on. */
function keyOf(
  { headers }: Exchange,
  edge: Edge,
  route: Route,
  { method, repository, reference }: ManifestRequest,
): string {
  const personal = route.pull.some(({ upstream }) => edge.upstreams.get(upstream)?.config.credentials === 'forward');
  return JSON.stringify([
    method,
    route.registry,
    repository,
    reference,
    personal ? headers.authorization : undefined,
    ...DECISIVE.map((name) => headers[name]),
  ]);
}
