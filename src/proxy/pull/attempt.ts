import {
  type Absent,
  type Credentials,
  classify,
  confirmAbsence,
  type Outcome,
  retryAfterMs,
} from '../../failover/classify.ts';
import type { Attempt } from '../../failover/plan.ts';
import { saysTooLittle } from '../../failover/served-answer.ts';
import { isEmptyList } from '../../oci/answer-content.ts';
import { dropBody, readExplanation } from '../../upstream/body/explanatory-body.ts';
import { PrimedBody, type PrimeTarget } from '../../upstream/body/primed-body.ts';
import { readBody } from '../../upstream/body/read-body.ts';
import type { Connection } from '../../upstream/connection.ts';
import type { AttemptPermit } from '../../upstream/health/attempt-permit.ts';
import type { Replica } from '../../upstream/health/replica.ts';
import { unlessAborted } from '../../upstream/unless-aborted.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { UpstreamAnswer, UpstreamCall, UpstreamStream } from '../../upstream/upstream-call.ts';
import { asUpstreamError, isOwnFault, UpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone } from '../exchange.ts';
import { AttemptClock, type AttemptLimit } from './attempt-deadline.ts';
import type { AbsenceAnswer, AnswerHead, AttemptResult, Served, UpstreamRead } from './attempt-result.ts';
import { checkBody, wordsOf } from './whole-body.ts';

/** An attempt that has its permit. */
interface PermittedAttempt {
  upstream: Upstream;
  replica: Replica;
  connection: Connection;
  permit: AttemptPermit;
  read: UpstreamRead;
  call: UpstreamCall;
}

const SATURATED: AttemptResult = {
  outcome: 'failed',
  reason: 'saturated',
  detail: 'too many requests under way there',
};

type Absence = Absent | { outcome: 'failed'; reason: 'unproven'; detail?: string };

/** Bytes of a whole body that is read where the caller sets no limit. */
const MAX_WHOLE = 65_536;
/** Outcomes whose bodies are not read. */
const SMALL_OUTCOMES = new Set<Outcome['outcome']>(['failed', 'redirect']);
const CONDITIONS = ['if-none-match', 'if-modified-since'];

/**
 * Makes one attempt up to the beginning of its answer. It never rejects because of the upstream.
 * @param control aborts the attempt: with ClientGone if no client waits any more, with an UpstreamError `late` if
 * another upstream answered. It has no effect on a body that is already streamed.
 * @throws ClientGone
 */
export async function attemptRead(
  upstream: Upstream,
  attempt: Attempt,
  read: UpstreamRead,
  limit: AttemptLimit,
  control: AbortController,
): Promise<AttemptResult> {
  const { signal } = control;
  const { url, class: trafficClass } = attempt;
  const replica = upstream.replica(url);
  const connection = read.own ? upstream.ownConnection(url) : upstream.connection(url);
  const clock = new AttemptClock(upstream, url, limit, control);
  const free = replica?.tryStartAttempt(trafficClass, attempt);
  clock.hadPlace = free !== undefined;
  const permit = free ?? (await replica?.startAttempt(trafficClass, attempt, signal));
  if (!replica || !connection || !permit) {
    clock.stop();
    if (signal.reason instanceof ClientGone) throw signal.reason;
    return SATURATED;
  }
  const started = performance.now();
  try {
    const call = { ...read, redirects: read.redirects ?? upstream.config.redirects.mode, signal };
    const permitted = { upstream, replica, connection, permit, read, call };
    const isStreamed = read.method === 'GET' && read.wholeUpTo === undefined;
    const beginning = { bytes: limit.beginning ?? 1, deadlineReached: clock.deadlineReached };
    const result = await (isStreamed ? stream(permitted, beginning) : readWhole(permitted));
    // An answer that has only its first bytes at the deadline says nothing about the usual latency, nor does a refusal to answer.
    const saysNothing =
      clock.deadlineReached.aborted || (result.outcome === 'failed' && result.reason === 'rate-limited');
    if ((trafficClass === 'control' || trafficClass === 'data') && !saysNothing)
      replica.latency[trafficClass].add(performance.now() - started, attempt);
    return result;
  } catch (error) {
    const gone = signal.reason instanceof ClientGone;
    if (gone || (!signal.aborted && isOwnFault(error))) {
      permit.reportEnd('neutral');
      throw gone ? signal.reason : error;
    }
    // The time went by while the attempt waited for a place. That is no fault of the upstream.
    if (!free && signal.aborted && asUpstreamError(signal.reason).reason === 'first-byte') {
      permit.reportEnd('neutral');
      return SATURATED;
    }
    return { ...failed(upstream, permit, signal.aborted ? signal.reason : error), abandoned: clock.abandoned };
  } finally {
    clock.stop();
  }
}

async function readWhole(attempt: PermittedAttempt): Promise<AttemptResult> {
  const { permit, read } = attempt;
  const { answer, method } = await ask(attempt);
  try {
    const outcome = await judge(attempt, answer, method);
    if (isAbsence(outcome))
      return notThere(outcome, attempt, { words: await wordsOf(readExplanation(answer.body), read) });
    if (isLimit(outcome)) return limited(outcome, attempt, answer);
    if (SMALL_OUTCOMES.has(outcome.outcome) || method === 'HEAD') {
      await dropBody(answer.body);
      return withoutBody(outcome, answer, permit);
    }
    if (outcome.outcome === 'refused') return await refused(answer, permit);
    const body = await readBody(answer.body, read.wholeUpTo ?? MAX_WHOLE);
    if (answer.status === 200) checkBody(body, read, answer);
    const served = { answer, body, permit };
    if (isWholeList(attempt, answer) && isEmptyList(read.content, body)) return await emptyList(attempt, served);
    noteContent(attempt, answer);
    permit.reportAnswer('good');
    permit.reportEnd('good');
    return { outcome: 'served', ...served };
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
}

function isWholeList({ read }: PermittedAttempt, { status }: AnswerHead): boolean {
  return read.wholeList === true && status === 200;
}

/** A list without entries is believed only like a 404 (rule 4): storage that is not mounted lists nothing. */
async function emptyList(attempt: PermittedAttempt, list: Served): Promise<AttemptResult> {
  const outcome = await confirmed(attempt);
  if (isAbsence(outcome)) return notThere(outcome, attempt, { emptyList: list });
  if (outcome.outcome === 'failed' && outcome.reason === 'content-lost')
    throw new UpstreamError('content-lost', 'it lists nothing, but it has lost content');
  throw new UpstreamError('canary', 'it lists nothing, and its canary cannot be read');
}

/** Notes that the upstream has shown content. The lists of Harbor come from its database, and say nothing about its storage. */
function noteContent({ upstream, replica, read }: PermittedAttempt, answer: AnswerHead): void {
  const isContent = read.content === 'manifest' || read.content === 'blob';
  const isListed = read.wholeList === true && upstream.config.probe.kind === 'registry';
  const hasBody = (answer.status === 200 || answer.status === 206) && answer.headers.contentLength() !== 0;
  if (hasBody && (isContent || isListed)) replica.recordSight({ kind: 'content' });
}

/** A refusal counts by its status alone. Its body is relayed only if it arrives whole. */
async function refused(answer: UpstreamAnswer | UpstreamStream, permit: AttemptPermit): Promise<AttemptResult> {
  permit.reportAnswer('good');
  const body = await readExplanation(answer.body);
  permit.reportEnd('good');
  return { outcome: 'refused', answer, body, permit };
}

async function stream(attempt: PermittedAttempt, beginning: PrimeTarget): Promise<AttemptResult> {
  const { connection, call, read, permit } = attempt;
  const answer = await connection.stream(call);
  try {
    const outcome = await judge(attempt, answer, read.method);
    const unfit = outcome.outcome === 'served' ? read.unfit?.(answer) : undefined;
    if (unfit !== undefined) throw new UpstreamError('length', unfit);
    if (isAbsence(outcome))
      return notThere(outcome, attempt, { words: await wordsOf(readExplanation(answer.body), read) });
    if (isLimit(outcome)) return limited(outcome, attempt, answer);
    if (SMALL_OUTCOMES.has(outcome.outcome)) {
      await dropBody(answer.body);
      return withoutBody(outcome, answer, permit);
    }
    if (outcome.outcome === 'refused') return await refused(answer, permit);
    const body = await PrimedBody.prime(answer.body, call.signal, beginning);
    noteContent(attempt, answer);
    permit.reportAnswer('good');
    return { outcome: 'served', answer, body, permit };
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
}

/** Sends the request. @returns the method that was answered, too */
async function ask({ connection, call, read }: PermittedAttempt): Promise<{ answer: UpstreamAnswer; method: string }> {
  const { method } = call;
  const answer = await connection.send(call);
  const { status, redirected, headers } = answer;
  const [contentLength, toldDigest] = [headers.contentLength(), headers.get('docker-content-digest')];
  const isBare = read.content === 'manifest' && saysTooLittle({ status, redirected, contentLength, toldDigest });
  // A list may be long. Its HEAD is only repeated where the registry has none.
  const isRepeated = isBare || (status === 405 && read.wholeUpTo !== undefined);
  if (method !== 'HEAD' || !isRepeated) return { answer, method };
  await dropBody(answer.body);
  return { answer: await connection.send({ ...call, method: 'GET' }), method: 'GET' };
}

async function judge(attempt: PermittedAttempt, answer: AnswerHead, method: string): Promise<Outcome> {
  const { upstream, permit, read } = attempt;
  const outcome = classify(
    {
      content: read.content,
      method,
      range: read.headers.range,
      anyRange: read.unfit !== undefined,
      conditional: CONDITIONS.some((name) => read.headers[name] !== undefined),
      digest: read.digest,
      status: answer.status,
      contentType: answer.headers.get('content-type'),
      contentRange: answer.headers.get('content-range'),
      contentLength: answer.headers.contentLength(),
      toldDigest: answer.headers.get('docker-content-digest'),
      wwwAuthenticate: answer.headers.joined('www-authenticate'),
      retryAfter: answer.headers.get('retry-after'),
      redirected: answer.redirected,
      credentials: credentialsOf(upstream, read),
      authorityDead: upstream.view().unhealthy.includes('database'),
    },
    Date.now(),
  );
  if (outcome.outcome === 'failed' && outcome.retryAfterMs !== undefined) permit.reportOverload(outcome.retryAfterMs);
  return outcome.outcome === 'absent' ? confirmed(attempt, read.content !== 'referrers') : outcome;
}

/**
 * What a 404 or an empty list means. A registry whose storage is unmounted answers every read with 404. Only a canary that is read now
 * tells whether the content is absent.
 * @param isContent false: what is absent is an endpoint, and no content was lost with it
 */
async function confirmed({ upstream, replica, read, call }: PermittedAttempt, isContent = true): Promise<Outcome> {
  // The clock of the attempt bounds the wait for a slow one.
  const canary = await unlessAborted(call.signal, upstream.confirmCanaryPatiently(replica.url));
  const isAsked = isContent && canary !== 'failing' && read.deleted !== true;
  const trust = (isAsked ? await read.trust?.() : undefined) ?? 'believed';
  const { proof } = replica;
  return confirmAbsence({ ...read, canary, trust, proof, credentials: credentialsOf(upstream, read) });
}

function credentialsOf({ config }: Upstream, { own }: UpstreamRead): Credentials {
  return own || typeof config.credentials !== 'string' ? 'static' : config.credentials;
}

/** Whether the upstream says that it does not have the content, which may be believed or not. */
function isAbsence(outcome: Outcome): outcome is Absence {
  return outcome.outcome === 'absent' || (outcome.outcome === 'failed' && outcome.reason === 'unproven');
}

/** The upstream has answered, so nothing is wrong with it as far as its breakers are concerned. */
function notThere(absence: Absence, { permit }: PermittedAttempt, answer: AbsenceAnswer): AttemptResult {
  const detail = 'it has shown no content yet';
  return { ...settled(absence.outcome === 'failed' ? { detail, ...absence } : absence, permit), ...answer };
}

/** Milliseconds that a client is told to wait at most. */
const MAX_WAIT_MS = 86_400_000;

type Limit = Extract<Outcome, { outcome: 'failed' }> & { reason: 'rate-limited' };

function isLimit(outcome: Outcome): outcome is Limit {
  return outcome.outcome === 'failed' && outcome.reason === 'rate-limited';
}

/** The upstream limits this client, or the edge. If nobody else can serve, the client gets its words. */
async function limited(
  { reason }: Limit,
  { permit, read }: PermittedAttempt,
  { status, headers, body }: UpstreamAnswer | UpstreamStream,
): Promise<AttemptResult> {
  const words = await wordsOf(readExplanation(body), read);
  permit.reportFailure(reason);
  const wait = retryAfterMs(headers.get('retry-after'), Date.now(), MAX_WAIT_MS);
  return { outcome: 'failed', reason, detail: `it answers ${status}`, words, retryAfterMs: wait };
}

/** The result of an answer whose body does not matter. @throws UpstreamError if the answer is a failure */
function withoutBody(outcome: Exclude<Outcome, Absent>, answer: AnswerHead, permit: AttemptPermit): AttemptResult {
  if (outcome.outcome === 'failed')
    throw new UpstreamError(outcome.reason, outcome.detail ?? `it answers ${answer.status}`);
  return settled({ outcome: outcome.outcome, answer, body: undefined, permit }, permit);
}

/** Reports an answer whose status says all. */
function settled<T>(result: T, permit: AttemptPermit): T {
  permit.reportAnswer('good');
  permit.reportEnd('neutral');
  return result;
}

function failed(upstream: Upstream, permit: AttemptPermit, error: unknown): AttemptResult & { outcome: 'failed' } {
  const { reason, message } = asUpstreamError(error);
  permit.reportFailure(reason);
  if (reason === 'credentials') upstream.reportDeniedCredentials(message);
  return { outcome: 'failed', reason, detail: message };
}
