import type { Attempt } from '../../failover/plan.ts';
import type { Route } from '../../failover/rewrite.ts';
import { OciError } from '../../oci/error.ts';
import type { ContentRange } from '../../oci/range.ts';
import { extentOf, resumeObstacle } from '../../splice/extent.ts';
import type { Leg } from '../../splice/running-leg.ts';
import type { ResumeElsewhere } from '../../splice/transfer.ts';
import { PrimedBody } from '../../upstream/body/primed-body.ts';
import type { Exchange } from '../exchange.ts';
import type { PullContext, Uses } from '../proxy-context.ts';
import { type AnswerHead, discardAnswer, type UpstreamRead } from './attempt-result.ts';
import { fetchPull, planAttempts } from './pull.ts';
import { corruptCopiesLast, type PullPlan, type Relayable } from './pull-plan.ts';
import { type BlobRequest, pullPlan } from './upstream-read.ts';

/** Milliseconds that a client waits for an upstream to resume the blob. */
const LIMIT_MS = 9500;
/** An upstream that failed so often in one transfer is not asked again. */
const MAX_BREAKS = 3;

/** The request for a blob, and its route. */
export interface BlobPull {
  request: BlobRequest;
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
  return async (from, broken, error, alive) => {
    const started = performance.now();
    // The upstream that resumes gets a record of its own.
    const record = exchange.attempts.findLast(({ outcome }) => outcome === 'served');
    if (alive) slow.add(broken.url);
    else breaks.set(broken.url, (breaks.get(broken.url) ?? 0) + 1);
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
  const attempts = planAttempts(exchange, context, route, request.repository, 'data');
  return corruptCopiesLast(attempts, (upstream) => context.copies.isCorrupt(upstream, request.digest), false);
}

/** The URL that has just failed comes last, because perhaps only its connection was reset. */
function brokenUrlLast(attempts: readonly Attempt[], url: string): Attempt[] {
  return [...attempts.filter((one) => one.url !== url), ...attempts.filter((one) => one.url === url)];
}

/** @throws ClientGone */
async function resume(
  exchange: Exchange,
  context: Uses<'access' | 'config' | 'ledger' | 'looks' | 'shown' | 'upstreams'>,
  rest: Rest,
  attempts: Attempt[],
): Promise<Leg | undefined> {
  const until = performance.now() + LIMIT_MS;
  let left = attempts;
  while (left.length > 0) {
    const before = exchange.attempts.length;
    const plan = planOf(exchange, context, rest, left, until - performance.now());
    const result = await fetchPull(exchange, context, plan).catch((error: unknown) => {
      if (error instanceof OciError) return undefined;
      throw error;
    });
    if (!result) return undefined;
    if (result.outcome === 'served' && result.body instanceof PrimedBody) return legOf(context, result, result.body);
    discardAnswer(result);
    // A refusal is final for one upstream, but not for those that were not asked.
    const asked = new Set([result.attempt.url, ...exchange.attempts.slice(before).map(({ url }) => url)]);
    left = left.filter(({ url }) => !asked.has(url));
  }
  return undefined;
}

function planOf(
  exchange: Exchange,
  context: Uses<'access' | 'config' | 'ledger' | 'looks' | 'shown' | 'upstreams'>,
  { pull: { route, request }, extent, from }: Rest,
  attempts: Attempt[],
  limitMs: number,
): PullPlan {
  const range = `bytes=${from}-${extent.last + 1 < extent.total ? extent.last : ''}`;
  // The next upstream may have a blob that this one lacks.
  const plan = pullPlan(exchange, context, { ...route, onAbsent: 'next' }, request, attempts);
  const unfit = (head: AnswerHead) => resumeObstacle(head, extent, from);
  const reading = (attempt: Attempt): UpstreamRead => {
    const read = plan.reading(attempt);
    const { 'if-none-match': _, 'if-modified-since': __, ...headers } = read.headers;
    // A client in the middle of a body cannot follow a redirect.
    return { ...read, headers: { ...headers, range }, redirects: 'follow', unfit };
  };
  return { ...plan, limitMs, reading, decider: undefined };
}

/** The leg of a blob whose body is streamed. */
export function legOf(
  context: Uses<'upstreams'>,
  { answer, attempt: { upstream, url }, permit }: Pick<Relayable, 'answer' | 'attempt' | 'permit'>,
  source: PrimedBody,
): Leg {
  const extent = extentOf(answer);
  return {
    upstream,
    url,
    source,
    startOffset: extent?.first ?? 0,
    endOffset: extent && extent.last + 1,
    permit,
    stallMs: context.upstreams.get(upstream)?.config.deadlines.stall,
  };
}
