import type { Attempt } from '../../failover/plan.ts';
import type { Route } from '../../failover/rewrite.ts';
import { OciError } from '../../oci/error.ts';
import type { ContentRange } from '../../oci/range.ts';
import { extentOf, resumeOffset } from '../../splice/extent.ts';
import type { Leg } from '../../splice/running-leg.ts';
import type { ResumeElsewhere } from '../../splice/transfer.ts';
import { PrimedBody } from '../../upstream/body/primed-body.ts';
import type { Exchange } from '../exchange.ts';
import type { PullContext, Uses } from '../proxy-context.ts';
import { fetchPull, planAttempts } from './pull.ts';
import { corruptCopiesLast, type PullPlan, type Relayable } from './pull-plan.ts';
import { absentCode, contentOf, type PullRequest, upstreamReadFor } from './upstream-read.ts';

/** Milliseconds that a client waits for an upstream to resume the blob. */
const LIMIT_MS = 9500;
/** An upstream that failed so often in one transfer is not asked again. */
const MAX_BREAKS = 3;

/** The request for a blob, and its route. */
export interface BlobPull {
  request: PullRequest;
  route: Route;
}

/** The rest of a blob after its upstream failed. */
interface Rest {
  pull: BlobPull;
  /** The range that the client was promised. */
  extent: ContentRange;
  /** Offset in the blob of the first byte that is missing. */
  from: number;
}

/**
 * Finds an upstream that resumes a blob after its upstream failed in the middle.
 * @param extent the range that the client was promised
 */
export function resumeElsewhere(
  exchange: Exchange,
  context: PullContext,
  pull: BlobPull,
  extent: ContentRange,
): ResumeElsewhere {
  const breaks = new Map<string, number>();
  /** URLs that were left because they were too slow. They cannot replace another slow one. */
  const slow = new Set<string>();
  const count = ({ url }: Leg) => breaks.set(url, (breaks.get(url) ?? 0) + 1);
  return async (from, broken, error, alive) => {
    const started = performance.now();
    // The upstream that resumes gets a record of its own.
    const record = exchange.attempts.findLast(({ outcome }) => outcome === 'served');
    if (alive) slow.add(broken.url);
    else count(broken);
    const usable = (url: string) => (breaks.get(url) ?? 0) < MAX_BREAKS && !(alive && slow.has(url));
    const attempts = brokenUrlLast(planned(exchange, context, pull), broken.url).filter(({ url }) => usable(url));
    const leg = await resume(exchange, context, { pull, extent, from }, attempts);
    const splice = { reason: error.reason, at: from, ms: Math.round(performance.now() - started) };
    if (!leg && !alive) exchange.splices.push({ from: broken.upstream, ...splice });
    if (!leg) return undefined;
    const onStart = () => {
      exchange.splices.push({ from: broken.upstream, to: leg.upstream, ...splice });
      if (record) Object.assign(record, { outcome: 'failed', reason: error.reason, detail: error.message });
      exchange.notes.relay.upstream = leg.upstream;
    };
    return { ...leg, onStart };
  };
}

function planned(
  exchange: Exchange,
  context: Uses<'copies' | 'turn' | 'views'>,
  { route, request }: BlobPull,
): Attempt[] {
  const attempts = planAttempts(exchange, context, route, request.repository, 'data', false);
  if (request.kind !== 'blob') return attempts;
  return corruptCopiesLast(attempts, (upstream) => context.copies.isCorrupt(upstream, request.digest), false);
}

/** The URL that has just failed comes last, because perhaps only its connection was reset. */
function brokenUrlLast(attempts: readonly Attempt[], url: string): Attempt[] {
  return [...attempts.filter((one) => one.url !== url), ...attempts.filter((one) => one.url === url)];
}

/** @throws ClientGone */
async function resume(
  exchange: Exchange,
  context: Uses<'config' | 'ledger' | 'upstreams'>,
  rest: Rest,
  attempts: Attempt[],
): Promise<Leg | undefined> {
  const until = performance.now() + LIMIT_MS;
  let left = attempts;
  while (left.length > 0) {
    const before = exchange.attempts.length;
    const result = await tryResume(exchange, context, planOf(exchange, context, rest, left, until - performance.now()));
    const leg = result && legOf(context, result, rest);
    if (leg || !result) return leg;
    // A refusal is final for one upstream, but not for those that were not asked.
    const asked = new Set([result.attempt.url, ...exchange.attempts.slice(before).map(({ url }) => url)]);
    left = left.filter(({ url }) => !asked.has(url));
  }
  return undefined;
}

function planOf(
  exchange: Exchange,
  context: Uses<'config' | 'ledger'>,
  { pull: { route, request }, extent, from }: Rest,
  attempts: Attempt[],
  limitMs: number,
): PullPlan {
  const range = `bytes=${from}-${extent.last + 1 < extent.total ? extent.last : ''}`;
  return {
    // The next upstream may have a blob that this one lacks.
    route: { ...route, onAbsent: 'next' },
    attempts,
    content: contentOf(request),
    absent: absentCode(request),
    limitMs,
    reading: (attempt) => {
      const reading = upstreamReadFor(exchange, context, request, attempt);
      const { 'if-none-match': _, 'if-modified-since': __, ...headers } = reading.headers;
      return {
        ...reading,
        headers: { ...headers, range },
        // A client in the middle of a body cannot follow a redirect.
        redirects: 'follow',
        unfit: (head) => {
          const begins = resumeOffset(head, extent, from);
          return typeof begins === 'string' ? begins : undefined;
        },
      };
    },
  };
}

/** @throws ClientGone */
async function tryResume(
  exchange: Exchange,
  context: Uses<'upstreams'>,
  plan: PullPlan,
): Promise<Relayable | undefined> {
  try {
    return await fetchPull(exchange, context, plan);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

function legOf(
  context: Uses<'upstreams'>,
  { outcome, answer, body, attempt, permit }: Relayable,
  { extent, from }: Rest,
): Leg | undefined {
  const begins = resumeOffset(answer, extent, from);
  if (outcome !== 'served' || !(body instanceof PrimedBody) || typeof begins === 'string') {
    if (body instanceof PrimedBody) body.destroy();
    permit.reportEnd('neutral');
    return undefined;
  }
  const offered = extentOf(answer);
  return {
    upstream: attempt.upstream,
    url: attempt.url,
    source: body,
    startOffset: begins,
    endOffset: offered && offered.last + 1,
    permit,
    stallMs: context.upstreams.get(attempt.upstream)?.config.deadlines.stall,
  };
}
