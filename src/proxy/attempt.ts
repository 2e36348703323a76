import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { classify, confirmAbsence, type Failure, type Outcome } from '../failover/classify.ts';
import type { Attempt } from '../failover/plan.ts';
import { readBody } from '../upstream/body.ts';
import type { Connection, UpstreamAnswer, UpstreamCall } from '../upstream/connection.ts';
import type { Lease } from '../upstream/lease.ts';
import type { Replica } from '../upstream/replica.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { asUpstreamError, isOwnFault, UpstreamError } from '../upstream/upstream-error.ts';
import { ClientGone } from './exchange.ts';
import { firstBytes } from './first-bytes.ts';
import { worryAbout } from './worry.ts';

/** What is to be read, in words that do not depend on the upstream. */
export interface Reading {
  method: 'GET' | 'HEAD';
  /** Path and query below the upstream's URL, in its names. */
  path: string;
  headers: Record<string, string>;
  scopes: string[];
  clientAuthorization: string | undefined;
  /** Small answers are read whole, and proven against `digest`, before a byte goes out. In bytes; undefined: streamed. */
  wholeUpTo: number | undefined;
  /** Digest that the body must have, where the request names it. */
  digest: string | undefined;
}

/** An answer that can be relayed. `body` is a Buffer where it was read whole. */
export interface Served {
  answer: UpstreamAnswer;
  body: Buffer | { first: Buffer | null; rest: Readable } | undefined;
  lease: Lease;
}

export type AttemptResult =
  | ({ outcome: 'served' | 'redirect' | 'refused' } & Served)
  | { outcome: 'absent'; confirmed: boolean }
  /** `early`: given up before its deadline, because the canary failed too; it may yet answer. */
  | { outcome: 'failed'; reason: Failure; detail: string; early?: boolean };

/**
 * Makes one attempt up to the first byte of its answer. Never rejects for what the upstream does.
 * @param limit `ms` to the first byte; a `patient` attempt waits for all of them, whatever the canary says
 * @throws ClientGone
 */
export async function attemptRead(
  upstream: Upstream,
  { url, class: trafficClass }: Attempt,
  reading: Reading,
  { ms: limitMs, patient }: { ms: number; patient: boolean },
  gone: AbortSignal,
): Promise<AttemptResult> {
  const replica = upstream.replica(url);
  const connection = upstream.connection(url);
  const lease = replica?.begin(trafficClass);
  if (!replica || !connection || !lease)
    return { outcome: 'failed', reason: 'saturated', detail: 'too many requests under way there' };
  const deadline = new AbortController();
  const giveUp = (reason: Failure, message: string) => deadline.abort(new UpstreamError(reason, message));
  const timer = setTimeout(() => giveUp('first-byte', `no first byte within ${limitMs} ms`), limitMs);
  let early = false;
  const worry = patient
    ? undefined
    : worryAbout(upstream, url, () => {
        early = true;
        giveUp('canary', 'no first byte yet, and its canary cannot be read either');
      });
  const signal = AbortSignal.any([deadline.signal, gone]);
  try {
    const call: UpstreamCall = { ...reading, signal, redirects: upstream.config.redirects.mode };
    const { answer, asked } = await ask(connection, call, reading);
    const outcome = await judge(upstream, replica, url, answer);
    return await conclusion(outcome, answer, asked, lease, signal);
  } catch (error) {
    if (gone.aborted) {
      lease.ended('neutral');
      throw new ClientGone();
    }
    if (!signal.aborted && isOwnFault(error)) {
      lease.ended('neutral');
      throw error;
    }
    return { ...failed(upstream, lease, asUpstreamError(signal.aborted ? signal.reason : error)), early };
  } finally {
    clearTimeout(timer);
    worry?.stop();
  }
}

/** Sends it. Artifact Registry has answered HEADs of manifests with 405 (harbor#22021): the manifest itself then tells what they ask. */
async function ask(
  connection: Connection,
  call: UpstreamCall,
  reading: Reading,
): Promise<{ answer: UpstreamAnswer; asked: Reading }> {
  const answer = await connection.send(call);
  if (reading.method !== 'HEAD' || answer.status !== 405 || reading.wholeUpTo === undefined)
    return { answer, asked: reading };
  await answer.body.dump({ limit: 65_536 });
  return { answer: await connection.send({ ...call, method: 'GET' }), asked: { ...reading, method: 'GET' } };
}

async function judge(upstream: Upstream, replica: Replica, url: string, answer: UpstreamAnswer): Promise<Outcome> {
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
  if (outcome.outcome === 'failed' && outcome.restMs !== undefined) replica.rest(outcome.restMs);
  // Storage that was unmounted answers 404 to everything: only a canary that is read now tells the two apart.
  return outcome.outcome === 'absent' ? confirmAbsence(await upstream.confirmCanary(url)) : outcome;
}

async function conclusion(
  outcome: Outcome,
  answer: UpstreamAnswer,
  reading: Reading,
  lease: Lease,
  signal: AbortSignal,
): Promise<AttemptResult> {
  if (outcome.outcome === 'absent' || outcome.outcome === 'failed') {
    await answer.body.dump({ limit: 65_536 });
    if (outcome.outcome === 'failed') throw new UpstreamError(outcome.reason, `it answers ${answer.status}`);
    lease.answered('good');
    lease.ended('neutral');
    return outcome;
  }
  if (outcome.outcome === 'redirect') {
    await answer.body.dump({ limit: 65_536 });
    lease.answered('good');
    lease.ended('neutral');
    return { outcome: 'redirect', answer, body: undefined, lease };
  }
  if (reading.method === 'HEAD') {
    await answer.body.dump();
    lease.answered('good');
    lease.ended('neutral');
    return { outcome: outcome.outcome, answer, body: undefined, lease };
  }
  if (reading.wholeUpTo !== undefined || outcome.outcome === 'refused') {
    const body = await readBody(answer.body, reading.wholeUpTo ?? 65_536);
    if (outcome.outcome === 'served' && answer.status === 200) prove(body, reading.digest, answer);
    lease.answered('good');
    lease.ended('good');
    return { outcome: outcome.outcome, answer, body, lease };
  }
  const first = await firstBytes(answer.body, signal);
  lease.answered('good');
  return { outcome: 'served', answer, body: { first, rest: answer.body }, lease };
}

function failed(upstream: Upstream, lease: Lease, error: UpstreamError): Extract<AttemptResult, { outcome: 'failed' }> {
  lease.answered('bad');
  lease.ended('neutral');
  if (error.reason === 'credentials') upstream.credentialsFailed(error.message);
  return { outcome: 'failed', reason: error.reason, detail: error.message };
}

/** A whole body must be what was asked for, and what the upstream says it is. */
function prove(body: Buffer, digest: string | undefined, answer: UpstreamAnswer): void {
  for (const claimed of [digest, answer.headers.get('docker-content-digest')]) {
    const [algorithm = '', hash] = claimed?.split(':') ?? [];
    if (!/^sha(256|384|512)$/.test(algorithm)) continue;
    if (createHash(algorithm).update(body).digest('hex') !== hash)
      throw new UpstreamError('digest', `its content does not have the digest ${claimed}`);
  }
}
