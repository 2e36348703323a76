import type { Attempt } from '../../failover/plan.ts';
import type { Route } from '../../failover/rewrite.ts';
import { OciError } from '../../oci/error.ts';
import { type ContentRange, formatRange } from '../../oci/range.ts';
import { extentOf, resumeObstacle } from '../../splice/extent.ts';
import type { Leg } from '../../splice/running-leg.ts';
import type { ResumeElsewhere } from '../../splice/transfer.ts';
import { PrimedBody } from '../../upstream/body/primed-body.ts';
import type { Exchange } from '../exchange.ts';
import type { PullContext, Uses } from '../proxy-context.ts';
import { type AnswerHead, discardAnswer, type UpstreamRead } from './attempt-result.ts';
import { fetchPull, planAttempts } from './pull.ts';
import { corruptCopiesLast, type PullPlan, type PullScope, type Relayable } from './pull-plan.ts';
import { type BlobRequest, pullPlan } from './upstream-read.ts';

/** Milliseconds that a client waits for an upstream to resume the blob. */
const LIMIT_MS = 9500;
/** An upstream that failed so often in one transfer is not asked again. */
const MAX_BREAKS = 3;
/** A reply that has changed upstreams this often is not resumed again. */
const MAX_SPLICES = 20;

/** The request for a blob, and its route. */
export interface BlobPull {
  request: BlobRequest;
  route: Route;
}

/** The URLs that failed in the middle of the body of one reply. */
export class BrokenUrls {
  readonly #breaks = new Map<string, number>();
  /** URLs that were left because they were too slow. They cannot replace another slow one. */
  readonly #slow = new Set<string>();

  note(url: string, stillSending: boolean): void {
    if (stillSending) this.#slow.add(url);
    else this.#breaks.set(url, (this.#breaks.get(url) ?? 0) + 1);
  }

  /** @param stillSending what it would replace still sends bytes, but too slowly */
  mayServe(url: string, stillSending: boolean): boolean {
    return (this.#breaks.get(url) ?? 0) < MAX_BREAKS && !(stillSending && this.#slow.has(url));
  }
}

/** A read of a blob, or of a part of it, for a client. */
export interface BlobRead {
  pull: BlobPull;
  /** The range that the client was promised. */
  extent: ContentRange;
  /** What notes the attempts of this read: the exchange, if that has no other reads. */
  scope: PullScope;
  broken: BrokenUrls;
}

/** What is left of a read. */
interface Rest extends BlobRead {
  /** Offset in the blob of the first byte that is missing. */
  from: number;
  /** Whether an upstream that ignores ranges may serve, so that bytes are skipped. */
  maySkip: boolean;
}

/** Finds an upstream that resumes a blob after its upstream failed in the middle. */
export function resumeElsewhere(exchange: Exchange, context: PullContext, read: BlobRead): ResumeElsewhere {
  const { pull, scope } = read;
  return async (from, broken, error, alive) => {
    if (exchange.splices.length >= MAX_SPLICES) return undefined;
    const started = performance.now();
    // The upstream that resumes gets a record of its own.
    const record = scope.attempts.findLast(({ outcome }) => outcome === 'served');
    read.broken.note(broken.url, alive);
    const attempts = brokenUrlLast(planned(exchange, context, pull), broken.url);
    const usable = attempts.filter(({ url }) => read.broken.mayServe(url, alive));
    const leg = await resume(exchange, context, { ...read, from, maySkip: true }, usable);
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

/** Begins a read of its own for a part of a blob; undefined when no upstream can serve it. @throws ClientGone */
export async function beginRead(exchange: Exchange, context: PullContext, read: BlobRead): Promise<Leg | undefined> {
  const usable = planned(exchange, context, read.pull).filter(({ url }) => read.broken.mayServe(url, false));
  return resume(exchange, context, { ...read, from: read.extent.first, maySkip: false }, usable);
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
    const { attempts: records } = rest.scope;
    const before = records.length;
    const plan = planOf(exchange, context, rest, left, until - performance.now());
    const result = await fetchPull(rest.scope, context, plan).catch((error: unknown) => {
      if (error instanceof OciError) return undefined;
      throw error;
    });
    if (!result) return undefined;
    if (result.outcome === 'served' && result.body instanceof PrimedBody) return legOf(context, result, result.body);
    discardAnswer(result);
    // A refusal is final for one upstream, but not for those that were not asked.
    const asked = new Set([result.attempt.url, ...records.slice(before).map(({ url }) => url)]);
    left = left.filter(({ url }) => !asked.has(url));
  }
  return undefined;
}

function planOf(
  exchange: Exchange,
  context: Uses<'access' | 'config' | 'ledger' | 'looks' | 'shown' | 'upstreams'>,
  { pull: { route, request }, extent, from, maySkip }: Rest,
  attempts: Attempt[],
  limitMs: number,
): PullPlan {
  const range = formatRange({ first: from, last: extent.last + 1 < extent.total ? extent.last : undefined });
  // The next upstream may have a blob that this one lacks.
  const plan = pullPlan(exchange, context, { ...route, onAbsent: 'next' }, request, attempts);
  const unfit = (head: AnswerHead) =>
    maySkip || head.status === 206 ? resumeObstacle(head, extent, from) : 'the upstream ignores ranges';
  const reading = (attempt: Attempt): UpstreamRead => {
    const read = plan.reading(attempt);
    const { 'if-none-match': _, 'if-modified-since': __, 'if-range': ___, ...headers } = read.headers;
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
