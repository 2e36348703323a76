import { monotonicNow, readClocks } from '../../clock/clock.ts';
import { pushRefusal } from '../../failover/plan.ts';
import { parseChallenges } from '../../oci/challenge.ts';
import { OciError } from '../../oci/error.ts';
import type { AttemptPermit } from '../../upstream/health/attempt-permit.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { asUpstreamError, isOwnFault, UpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone, type Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { forwardedHeaders } from '../reply/header-rules.ts';
import type { AttemptRecord } from '../request-record.ts';
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

/** Milliseconds that the start of an upload waits for the canary before it is sent all the same. */
const CANARY_MS = 400;
/**
 * Milliseconds of a request after which a silent canary and a silent upstream count as an outage, so that a refusal
 * takes less than a second.
 */
const REFUSED_MS = 900;

/** Stage 4 of a push. @throws OciError if the upstream could not take the push; ClientGone */
export async function fetchPush(
  exchange: Exchange,
  context: Uses<'config' | 'forwarder'>,
  plan: PushPlan,
): Promise<PushAnswer> {
  const { attempt, upstream } = plan;
  const canarySilent = plan.request.kind === 'upload-start' && (await isCanarySilent(exchange, upstream, attempt.url));
  const permit = upstream.replica(attempt.url)?.tryStartAttempt('push', attempt);
  if (!permit) throw new OciError('TOOMANYREQUESTS');
  const started = performance.now();
  const note = (outcome: AttemptRecord['outcome'], more: Partial<AttemptRecord>) =>
    exchange.recordAttempt(attempt, started, { class: 'push', outcome, ...more });
  try {
    const outbound = await forwardRequestFor(exchange, context, plan, canarySilent);
    const forwarded = await context.forwarder.forward(exchange, outbound);
    const bad = forwarded.status >= 500;
    permit.reportStatus(forwarded);
    note(bad ? 'failed' : forwarded.status >= 400 ? 'refused' : 'served', {
      status: forwarded.status,
      ...(bad ? { reason: 'status-5xx' } : {}),
    });
    return { ...forwarded, permit };
  } catch (error) {
    const nobodys = error instanceof ClientGone || error instanceof OciError || isOwnFault(error);
    permit.reportAnswer(nobodys ? 'neutral' : 'bad');
    permit.reportEnd('neutral');
    if (nobodys) {
      note('aborted', {});
      throw error;
    }
    const failure = asUpstreamError(error);
    const { reason, message: detail } = failure;
    note('failed', { reason, detail });
    if (reason === 'credentials') upstream.reportDeniedCredentials(detail);
    throw unreachable(exchange, plan, failure);
  }
}

/** The error that replaces an answer about credentials which are not the client's own. */
export function denialOf(upstream: Upstream, answer: ForwardedResponse): OciError | undefined {
  const { status, headers } = answer;
  const emptyChallenge = status === 401 && parseChallenges(headers.joined('www-authenticate')).length === 0;
  if (emptyChallenge || (status === 401 && upstream.view().unhealthy.includes('database')))
    return refusal(upstream, 'it cannot check who may push, because its database does not answer');
  if (status !== 401 || upstream.config.credentials === 'forward') return undefined;
  upstream.reportDeniedCredentials(`a push was answered ${status}`);
  return new OciError(
    'DENIED',
    `pushes are refused: ${upstream.name} refuses the edge's credentials; an operator must renew them`,
  );
}

/**
 * Reads the push upstream's canary before an upload begins. A registry whose storage is unmounted would answer 202
 * and lose the upload.
 * @returns whether the canary was not read in time
 * @throws OciError DENIED if the canary fails, or if it is silent and a body would follow at once
 */
async function isCanarySilent(exchange: Exchange, upstream: Upstream, url: string): Promise<boolean> {
  const ms = exchange.hasBody ? REFUSED_MS : CANARY_MS;
  const silence = new Promise<'silent'>((resolve) => setTimeout(resolve, ms, 'silent').unref());
  const canary = await Promise.race([upstream.confirmCanary(url), silence]);
  const reason =
    canary === 'failing'
      ? 'its storage does not answer: the canary could not be read'
      : `its canary has not been read within ${ms} ms`;
  if (canary === 'failing' || (canary === 'silent' && exchange.hasBody)) throw refusal(upstream, reason);
  return canary === 'silent';
}

function refusal({ name }: Upstream, reason: string, since = monotonicNow()): OciError {
  return pushRefusal(name, { mode: 'refusing', since, reason }, readClocks());
}

async function forwardRequestFor(
  exchange: Exchange,
  context: Uses<'config'>,
  { attempt, upstream, path, scopes, request }: PushPlan,
  canarySilent: boolean,
): Promise<ForwardRequest> {
  const { deadlines } = upstream.config;
  const url = new URL(attempt.url);
  const limited = (ms: number) =>
    canarySilent ? Math.min(ms, Math.max(Math.ceil(REFUSED_MS - exchange.elapsed()), 1)) : ms;
  const authorization = await authorizationFor(exchange, upstream, attempt.url, scopes, limited(deadlines.push));
  const headers = { ...forwardedHeaders(exchange, false), host: url.host };
  return {
    upstream,
    url,
    path,
    headers: authorization === undefined ? headers : { ...headers, authorization },
    connectMs: limited(deadlines.connect),
    answerMs: exchange.hasBody || exchange.method === 'PUT' ? deadlines.commit : limited(deadlines.push),
    idleMs: context.config.limits.clientIdle,
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

/** 403 with the reason, which clients show, if nothing was written; 503 if the upstream may have taken the write. */
function unreachable(
  exchange: Exchange,
  { attempt, upstream, request }: PushPlan,
  { reason, summary }: UpstreamError,
): OciError {
  if (request.kind === 'upload-start' || ['connect', 'dns', 'tls', 'credentials'].includes(reason))
    return refusal(upstream, `it cannot be reached: ${summary}`, exchange.startedAt);
  return new OciError('UNAVAILABLE', `${attempt.upstream} failed in the middle of the push (${summary}); push again`);
}
