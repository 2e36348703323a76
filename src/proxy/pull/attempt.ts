import { createHash } from 'node:crypto';
import { classify, confirmAbsence, type Outcome } from '../../failover/classify.ts';
import type { Attempt } from '../../failover/plan.ts';
import { PrimedBody, type PrimeTarget } from '../../upstream/body/primed-body.ts';
import { readBody } from '../../upstream/body/read-body.ts';
import type { Connection } from '../../upstream/connection.ts';
import type { AttemptPermit } from '../../upstream/health/attempt-permit.ts';
import type { Replica } from '../../upstream/health/replica.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { UpstreamAnswer, UpstreamCall } from '../../upstream/upstream-call.ts';
import { asUpstreamError, isOwnFault, UpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone } from '../exchange.ts';
import { AttemptClock, type AttemptLimit } from './attempt-deadline.ts';
import type { AnswerHead, AttemptResult, UpstreamRead } from './attempt-result.ts';

/** An attempt that has its permit. */
interface PermittedAttempt {
  upstream: Upstream;
  replica: Replica;
  connection: Connection;
  permit: AttemptPermit;
  read: UpstreamRead;
  call: UpstreamCall;
}

/** Bytes of a body that is read only to end its answer, or because it explains a refusal. */
const MAX_ERROR = 65_536;
/** Outcomes whose bodies are not read. */
const SMALL_OUTCOMES = new Set<Outcome['outcome']>(['absent', 'failed', 'redirect']);

/**
 * Makes one attempt up to the beginning of its answer. It never rejects because of the upstream.
 * @param control aborts the attempt: with ClientGone if no client waits any more, with an UpstreamError `late` if
 * another upstream answered. It has no effect on a body that is already streamed.
 * @throws ClientGone
 */
export async function attemptRead(
  upstream: Upstream,
  { url, class: trafficClass }: Attempt,
  read: UpstreamRead,
  limit: AttemptLimit,
  control: AbortController,
): Promise<AttemptResult> {
  const { signal } = control;
  const replica = upstream.replica(url);
  const connection = upstream.connection(url);
  const clock = new AttemptClock(upstream, url, limit, control);
  const permit = replica?.tryStartAttempt(trafficClass) ?? (await replica?.startAttempt(trafficClass, signal));
  if (!replica || !connection || !permit) {
    clock.stop();
    if (signal.reason instanceof ClientGone) throw signal.reason;
    return { outcome: 'failed', reason: 'saturated', detail: 'too many requests under way there' };
  }
  const started = performance.now();
  try {
    const call = { ...read, redirects: read.redirects ?? upstream.config.redirects.mode, signal };
    const attempt = { upstream, replica, connection, permit, read, call };
    const isStreamed = read.method === 'GET' && read.wholeUpTo === undefined;
    const beginning = { bytes: limit.beginning ?? 1, deadlineReached: clock.deadlineReached };
    const result = await (isStreamed ? stream(attempt, beginning) : readWhole(attempt));
    // An answer that has only its first bytes at the deadline says nothing about the usual latency.
    if ((trafficClass === 'control' || trafficClass === 'data') && !clock.deadlineReached.aborted)
      replica.latency[trafficClass].add(performance.now() - started);
    return result;
  } catch (error) {
    const gone = signal.reason instanceof ClientGone;
    if (gone || (!signal.aborted && isOwnFault(error))) {
      permit.reportEnd('neutral');
      throw gone ? signal.reason : error;
    }
    return { ...failed(upstream, permit, signal.aborted ? signal.reason : error), abandoned: clock.abandoned };
  } finally {
    clock.stop();
  }
}

async function readWhole(attempt: PermittedAttempt): Promise<AttemptResult> {
  const { permit, read } = attempt;
  const { answer, method } = await ask(attempt);
  const outcome = await judge(attempt, answer);
  if (SMALL_OUTCOMES.has(outcome.outcome) || method === 'HEAD') {
    await answer.body.dump({ limit: MAX_ERROR });
    return withoutBody(outcome, answer, permit);
  }
  const body = await readBody(answer.body, read.wholeUpTo ?? MAX_ERROR);
  if (outcome.outcome === 'served' && answer.status === 200) verifyDigest(body, read.digest, answer);
  permit.reportAnswer('good');
  permit.reportEnd('good');
  return { outcome: outcome.outcome === 'served' ? 'served' : 'refused', answer, body, permit };
}

async function stream(attempt: PermittedAttempt, beginning: PrimeTarget): Promise<AttemptResult> {
  const { connection, call, read, permit } = attempt;
  const answer = await connection.stream(call);
  try {
    const outcome = await judge(attempt, answer);
    const unfit = outcome.outcome === 'served' ? read.unfit?.(answer) : undefined;
    if (unfit !== undefined) throw new UpstreamError('length', unfit);
    if (SMALL_OUTCOMES.has(outcome.outcome)) {
      await answer.body.dump({ limit: MAX_ERROR, signal: call.signal });
      return withoutBody(outcome, answer, permit);
    }
    if (outcome.outcome === 'refused') {
      const body = await answer.body.read(MAX_ERROR, call.signal);
      permit.reportAnswer('good');
      permit.reportEnd('good');
      return { outcome: 'refused', answer, body, permit };
    }
    const body = await PrimedBody.prime(answer.body, call.signal, beginning);
    permit.reportAnswer('good');
    return { outcome: 'served', answer, body, permit };
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
}

/**
 * Sends the request. Artifact Registry has answered HEADs of manifests with 405 (harbor#22021): a GET of the manifest
 * then has the same headers.
 * @returns the method that was answered, too
 */
async function ask({ connection, call, read }: PermittedAttempt): Promise<{ answer: UpstreamAnswer; method: string }> {
  const { method } = call;
  const answer = await connection.send(call);
  if (method !== 'HEAD' || answer.status !== 405 || read.wholeUpTo === undefined) return { answer, method };
  await answer.body.dump({ limit: MAX_ERROR });
  return { answer: await connection.send({ ...call, method: 'GET' }), method: 'GET' };
}

async function judge({ upstream, replica, read }: PermittedAttempt, answer: AnswerHead): Promise<Outcome> {
  const { credentials } = upstream.config;
  const outcome = classify(
    {
      status: answer.status,
      wwwAuthenticate: answer.headers.joined('www-authenticate'),
      retryAfter: answer.headers.get('retry-after'),
      redirected: answer.redirected,
      credentials: typeof credentials === 'string' ? credentials : 'static',
      authorityDead: upstream.view().unhealthy.includes('database'),
    },
    Date.now(),
  );
  if (outcome.outcome === 'failed' && outcome.retryAfterMs !== undefined) replica.backOff(outcome.retryAfterMs);
  if (outcome.outcome !== 'absent') return outcome;
  // A registry whose storage is unmounted answers every read with 404. Only a canary that is read now tells whether
  // the content is absent.
  return confirmAbsence(await upstream.confirmCanary(replica.url), read.known ?? false);
}

/** The result of an answer whose body does not matter. @throws UpstreamError if the answer is a failure */
function withoutBody(outcome: Outcome, answer: AnswerHead, permit: AttemptPermit): AttemptResult {
  if (outcome.outcome === 'failed') throw new UpstreamError(outcome.reason, `it answers ${answer.status}`);
  permit.reportAnswer('good');
  permit.reportEnd('neutral');
  if (outcome.outcome === 'absent') return outcome;
  return { outcome: outcome.outcome, answer, body: undefined, permit };
}

function failed(upstream: Upstream, permit: AttemptPermit, error: unknown): AttemptResult & { outcome: 'failed' } {
  const { reason, message } = asUpstreamError(error);
  permit.reportAnswer(reason === 'late' ? 'late' : 'bad');
  permit.reportEnd('neutral');
  if (reason === 'credentials') upstream.reportDeniedCredentials(message);
  return { outcome: 'failed', reason, detail: message };
}

/** Checks a whole body against the requested digest and against the digest that the upstream claims. */
function verifyDigest(body: Buffer, digest: string | undefined, answer: AnswerHead): void {
  for (const claimed of [digest, answer.headers.get('docker-content-digest')]) {
    const [algorithm = '', hash] = claimed?.split(':') ?? [];
    if (!/^sha(256|384|512)$/.test(algorithm)) continue;
    if (createHash(algorithm).update(body).digest('hex') !== hash)
      throw new UpstreamError('digest', `its content does not have the digest ${claimed}`);
  }
}
