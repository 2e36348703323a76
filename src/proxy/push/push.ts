import { monotonicNow, readClocks } from '../../clock/clock.ts';
import type { Failure } from '../../failover/classify.ts';
import { pushRefusal } from '../../failover/plan.ts';
import { anotherServes, stallObstacle } from '../../failover/push-stall.ts';
import { showsUploads, uploadVerdict } from '../../failover/upload-refusal.ts';
import { parseChallenges } from '../../oci/challenge.ts';
import { OciError } from '../../oci/error.ts';
import type { AttemptPermit } from '../../upstream/health/attempt-permit.ts';
import type { Replica } from '../../upstream/health/replica.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { asUpstreamError, isOwnFault, UpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone, type Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { forwardedHeaders } from '../reply/header-rules.ts';
import type { AttemptRecord } from '../request-record.ts';
import { checkCanary, refusal, untilRefused } from './canary-check.ts';
import type { ForwardedResponse, ForwardRequest } from './forwarder.ts';
import type { PushPlan } from './push-plan.ts';

export interface PushAnswer extends ForwardedResponse {
  permit: AttemptPermit;
}

/** Gives up an answer that is not relayed. */
export function discardPush({ body, permit }: PushAnswer): void {
  body.destroy();
  permit.reportEnd('neutral');
}

/**
 * Milliseconds for which the start of an upload waits for the canary before it is sent too, unless a good read of it is fresh. The answers
 * of a slow upstream then take no longer than one of them.
 */
const CANARY_FIRST_MS = 400;

/** Failures before a byte of the request was sent. */
const UNREACHED: readonly Failure[] = ['connect', 'dns', 'tls'];

/** Stage 4 of a push. @throws OciError if the upstream could not take the push; ClientGone */
export async function fetchPush(
  exchange: Exchange,
  context: Uses<'config' | 'forwarder'>,
  plan: PushPlan,
): Promise<PushAnswer> {
  const { attempt, upstream } = plan;
  const canary = plan.request.kind === 'upload-start' ? checkCanary(exchange, upstream, attempt.url) : undefined;
  // Each wait below has its own look at the result.
  canary?.catch(() => undefined);
  const replica = upstream.replica(attempt.url);
  // A body goes nowhere before the canary is good. A start without one leaves an empty session behind at worst.
  if (exchange.hasBody) await canary;
  else if (canary && !replica?.canaryIsFresh) await atMost(CANARY_FIRST_MS, canary);
  const permit = replica?.tryStartAttempt('push', attempt);
  if (!replica || !permit) throw new OciError('TOOMANYREQUESTS');
  const started = performance.now();
  let answer: PushAnswer;
  const note = (outcome: AttemptRecord['outcome'], more: Partial<AttemptRecord>) =>
    exchange.recordAttempt(attempt, started, { class: 'push', outcome, ...more });
  try {
    const forwarded = await forwardUnless(canary, exchange, context, { ...plan, replica });
    const bad = forwarded.status >= 500;
    permit.reportStatus(forwarded);
    note(bad ? 'failed' : forwarded.status >= 400 ? 'refused' : 'served', {
      status: forwarded.status,
      ...(bad ? { reason: 'status-5xx' } : {}),
    });
    answer = { ...forwarded, permit };
  } catch (error) {
    const nobodys = error instanceof ClientGone || error instanceof OciError || isOwnFault(error);
    if (nobodys) {
      permit.reportEnd('neutral');
      note('aborted', {});
      throw error;
    }
    const failure = asUpstreamError(error);
    const { reason, message: detail } = failure;
    permit.reportFailure(reason);
    note('failed', { reason, detail });
    if (reason === 'credentials') upstream.reportDeniedCredentials(detail);
    throw unreachable(exchange, plan, failure);
  }
  if (await takesNoUploads(plan, answer.status)) {
    discardPush(answer);
    throw pushRefusal(upstream.name, upstream.view().gate, readClocks());
  }
  return answer;
}

/** Whether the answer to the start of an upload shows that the upstream takes none at all. */
async function takesNoUploads({ request, path, attempt, upstream }: PushPlan, status: number): Promise<boolean> {
  const mounts = URL.parse(path, attempt.url)?.searchParams.has('mount') === true;
  if (!showsUploads({ kind: request.kind, mounts }) || uploadVerdict(status) !== 'none') return false;
  return upstream.uploads.noteRefusal();
}

/** Resolves when the check has passed, or when the time is over. @throws as the check does */
async function atMost(ms: number, check: Promise<void>): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, ms);
  await Promise.race([check, over.promise]).finally(() => clearTimeout(timer));
}

/**
 * Sends the request, and gives it up if the check of the canary fails. The start of an upload is also given up when the gate closes:
 * nothing of the client's is written yet. @throws as both do
 */
async function forwardUnless(
  canary: Promise<void> | undefined,
  exchange: Exchange,
  context: Uses<'config' | 'forwarder'>,
  plan: PushPlan & { replica: Replica },
): Promise<ForwardedResponse> {
  const control = new AbortController();
  const { signal } = control;
  const forwarded = forwardRequestFor(exchange, context, plan).then((outbound) =>
    context.forwarder.forward(exchange, { ...outbound, signal }),
  );
  const over = new AbortController();
  const refused = canary && !exchange.hasBody ? [untilRefused(plan.upstream, over.signal)] : [];
  try {
    const [answer] = await Promise.race([Promise.all([forwarded, canary]), ...refused]);
    return answer;
  } catch (error) {
    control.abort(error);
    forwarded.then(
      ({ body }) => body.destroy(),
      () => undefined,
    );
    throw error;
  } finally {
    over.abort();
  }
}

/** The error that replaces an answer about credentials which are not the client's own. */
export function denialOf(upstream: Upstream, answer: ForwardedResponse): OciError | undefined {
  const { status, headers } = answer;
  const emptyChallenge = status === 401 && parseChallenges(headers.joined('www-authenticate')).length === 0;
  if (emptyChallenge || (status === 401 && upstream.view().unhealthy.includes('database')))
    return refusal(upstream, 'it cannot check who may push, because its database does not answer', monotonicNow());
  if (status !== 401 || upstream.config.credentials === 'forward') return undefined;
  upstream.reportDeniedCredentials(`a push was answered ${status}`);
  return new OciError(
    'DENIED',
    `pushes are refused: ${upstream.name} refuses the edge's credentials; an operator must renew them`,
  );
}

async function forwardRequestFor(
  exchange: Exchange,
  context: Uses<'config'>,
  { attempt, upstream, replica, path, scopes, request }: PushPlan & { replica: Replica },
): Promise<ForwardRequest> {
  const { deadlines } = upstream.config;
  const url = new URL(attempt.url);
  const authorization = await authorizationFor(exchange, upstream, attempt.url, scopes, deadlines.push);
  const headers = { ...forwardedHeaders(exchange, false), host: url.host };
  return {
    upstream,
    replica,
    url,
    path,
    headers: authorization === undefined ? headers : { ...headers, authorization },
    connectMs: deadlines.connect,
    answerMs: exchange.hasBody || exchange.method === 'PUT' ? deadlines.commit : deadlines.push,
    idleMs: context.config.limits.clientIdle,
    stallMs: deadlines.pushStall,
    maxBytes: request.kind === 'manifest' ? context.config.limits.manifestBytes : Number.POSITIVE_INFINITY,
  };
}

async function authorizationFor(
  exchange: Exchange,
  upstream: Upstream,
  url: string,
  scopes: readonly string[],
  ms: number,
): Promise<string | undefined> {
  const deadline = AbortSignal.timeout(ms);
  const signal = AbortSignal.any([exchange.gone, deadline]);
  try {
    return await upstream.connection(url)?.authorizationForWrite(scopes, exchange.clientAuthorization, signal);
  } catch (error) {
    if (deadline.aborted && !exchange.gone.aborted)
      throw new UpstreamError('first-byte', `no challenge within ${Math.round(ms)} ms`);
    throw error;
  }
}

/**
 * 403 with the reason, which clients show, if nothing was written, or if another try would be refused too; 503 if the upstream may have
 * taken the write, or if another of its URLs takes the next request.
 */
function unreachable(
  exchange: Exchange,
  { attempt, upstream, request }: PushPlan,
  { reason, summary }: UpstreamError,
): OciError {
  if (reason === 'descriptors')
    return new OciError('UNAVAILABLE', `this edge has no file descriptor left to ask ${attempt.upstream}; push again`);
  if (reason === 'stall') {
    const { pushStall } = upstream.config.deadlines;
    const obstacle = stallObstacle(upstream.view(), attempt.url, pushStall, monotonicNow());
    if (obstacle) return pushRefusal(upstream.name, obstacle, readClocks());
  }
  const { gate, replicas } = upstream.view();
  if (gate.mode === 'accepting' && UNREACHED.includes(reason) && anotherServes(replicas, attempt.url)) {
    const message = `one server of ${attempt.upstream} cannot be reached (${summary}), and another one answers; push again`;
    return new OciError('UNAVAILABLE', message);
  }
  if (request.kind === 'upload-start' || [...UNREACHED, 'credentials'].includes(reason))
    return refusal(upstream, `it cannot be reached: ${summary}`, exchange.startedAt);
  return new OciError('UNAVAILABLE', `${attempt.upstream} failed in the middle of the push (${summary}); push again`);
}
