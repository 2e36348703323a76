import { parseChallenges } from '../oci/challenge.ts';
import type { ContentTrust } from './lost-content.ts';
import { isAbsenceCredible, type Proof } from './proof.ts';
import { misfit, type ServedFacts } from './served-answer.ts';
import type { CanaryState } from './view.ts';

/** Why an attempt failed; the list is closed because it labels metrics. */
export type Failure =
  | 'connect'
  | 'dns'
  | 'tls'
  | 'reset'
  | 'first-byte'
  | 'late'
  | 'stall'
  | 'short'
  | 'digest'
  | 'length'
  | 'status-5xx'
  | 'rate-limited'
  | 'credentials'
  | 'authority-dead'
  | 'canary'
  | 'content-lost'
  | 'content-unclear'
  | 'unproven'
  | 'redirect-host'
  | 'storage'
  | 'redirect-loop'
  | 'too-large'
  | 'malformed'
  | 'saturated'
  | 'descriptors'
  | 'out-of-time';

/** Whose credentials a request carries: the client's own, the edge's, or none. */
export type Credentials = 'forward' | 'static' | 'none';

export interface Absent {
  outcome: 'absent';
  /** The 404 is believed. */
  confirmed: boolean;
  /** The 404 answers the client's own credentials. The upstream may be hiding the content from this client alone. */
  forClient: boolean;
}

export type Outcome =
  | { outcome: 'served' }
  | { outcome: 'redirect' }
  | Absent
  | { outcome: 'refused' }
  | { outcome: 'failed'; reason: Failure; detail?: string; retryAfterMs?: number };

export interface ResultFacts extends ServedFacts {
  wwwAuthenticate: string | undefined;
  retryAfter: string | undefined;
  credentials: Credentials;
  /** Harbor reports its database as unhealthy. */
  authorityDead: boolean;
}

export const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const DEFAULT_RETRY_AFTER_MS = 5000;
const MAX_RETRY_AFTER_MS = 300_000;
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;

/** The meaning of an answer's head. A 404 still needs `confirmAbsence`. */
export function classify(facts: ResultFacts, now: number): Outcome {
  const { status } = facts;
  if (REDIRECTS.has(status)) return { outcome: 'redirect' };
  if ((status >= 200 && status < 300) || status === 304) {
    const wrong = misfit(facts);
    return wrong ? { outcome: 'failed', ...wrong } : { outcome: 'served' };
  }
  // The registry redirected, so it has the content. Storage that denies or lacks it has failed, for example by an expired signature.
  if (facts.redirected && status >= 400 && status < 500 && status !== 416)
    return { outcome: 'failed', reason: 'storage' };
  if (status === 404) return { outcome: 'absent', confirmed: false, forClient: facts.credentials === 'forward' };
  if (status === 401 || status === 403) return classifyDenial(facts);
  const overloadedFor = overloadMs(facts, now);
  if (overloadedFor !== undefined)
    return { outcome: 'failed', reason: status === 429 ? 'rate-limited' : 'status-5xx', retryAfterMs: overloadedFor };
  if (status >= 500) return { outcome: 'failed', reason: 'status-5xx' };
  if (status >= 400) return { outcome: 'refused' };
  return { outcome: 'failed', reason: 'malformed' };
}

function classifyDenial({ status, credentials, wwwAuthenticate, authorityDead }: DenialFacts): Outcome {
  // Harbor with a dead database answers 401 with an empty challenge. Relayed, this would tell users that their password is wrong.
  if (status === 401 && (authorityDead || parseChallenges(wwwAuthenticate).length === 0))
    return { outcome: 'failed', reason: 'authority-dead' };
  if (credentials === 'forward') return { outcome: 'refused' };
  return { outcome: 'failed', reason: 'credentials' };
}

/**
 * Why the answer to an OPTIONS is none. It tells what the path takes, so a 404, a 405 and a 501 are answers. Undefined: it is relayed.
 */
export function optionsFailure(facts: DenialFacts): Failure | undefined {
  const { status } = facts;
  if (status === 401 || status === 403) {
    const denial = classifyDenial(facts);
    return denial.outcome === 'failed' ? denial.reason : undefined;
  }
  if (status === 429) return 'rate-limited';
  // Nothing follows the redirect of an OPTIONS, and its Location may name the upstream's own host.
  if (status >= 300 && status < 400) return 'malformed';
  return status >= 500 && status !== 501 ? 'status-5xx' : undefined;
}

type DenialFacts = Pick<ResultFacts, 'status' | 'credentials' | 'wwwAuthenticate' | 'authorityDead'>;

/** What a 404 is believed by. */
export interface AbsenceFacts {
  /** The canary, read after the 404. */
  canary: CanaryState;
  /** Whether the upstream is known to have lost content that it had acknowledged (rule 9), or may have. */
  trust?: ContentTrust;
  /** Whether the upstream has ever shown content. */
  proof: Proof;
  credentials: Credentials;
  /** The edge itself has checked that the client may read the content, so that the upstream hides nothing from it. */
  permitted?: boolean;
  /** The ledger has a tag at this very digest there. */
  known?: boolean;
  /** The upstream acknowledged that the content was deleted. */
  deleted?: boolean;
}

/**
 * The meaning of a 404, or of an empty list, once the canary was read again. An upstream that cannot read its canary does not see its
 * storage. Where nothing was ever read and no canary tells, the storage may not be mounted: `conclude` decides whether another upstream may
 * have the content. A 404 for known content moves on to the next upstream without blame, because the content may have been deleted past
 * this edge. An upstream that has lost content may have lost this, too.
 *
 * A 404 to a client's own credentials always counts for that client: the upstream may hide what another client has pulled, and no other
 * upstream may show it then (rule 3). Only an upstream that lists nothing at all hides nothing.
 */
export function confirmAbsence(facts: AbsenceFacts): Outcome {
  const { canary, trust, proof, credentials, permitted, known, deleted } = facts;
  if (canary === 'failing') return { outcome: 'failed', reason: 'canary' };
  const forClient = credentials === 'forward';
  const counts = deleted === true || (forClient && permitted !== true);
  if (trust === 'lost' && !counts)
    return { outcome: 'failed', reason: 'content-lost', detail: 'it answers 404, but it has lost content' };
  if (trust === 'unclear' && !counts)
    return { outcome: 'failed', reason: 'content-unclear', detail: 'it answers 404, and may have lost content' };
  const isDoubtful = proof.state === 'unproven' || !(counts || isAbsenceCredible(proof));
  if (canary === 'none' && isDoubtful) return { outcome: 'failed', reason: 'unproven', detail: proof.reason };
  return { outcome: 'absent', confirmed: counts || (canary === 'good' && known !== true), forClient };
}

/**
 * Milliseconds for which an overloaded upstream asks for fewer requests: by 429, or by 503 with Retry-After. Undefined:
 * it is not overloaded.
 */
export function overloadMs(
  { status, retryAfter }: Pick<ResultFacts, 'status' | 'retryAfter'>,
  now: number,
): number | undefined {
  const overloaded = status === 429 || (status === 503 && retryAfter !== undefined);
  return overloaded ? retryAfterMs(retryAfter, now) : undefined;
}

/**
 * Milliseconds for which an upstream is rate-limited: Retry-After in seconds or as a date (RFC 9110 section 10.2.3), bounded.
 * @param max the bound. Default: for the edge itself, which must not leave a registry alone for long because of one answer
 */
export function retryAfterMs(retryAfter: string | undefined, now: number, max = MAX_RETRY_AFTER_MS): number {
  const text = retryAfter?.trim() ?? '';
  // Date.parse accepts almost anything ("1.5", "-5"), so only the forms of HTTP-date, which begin with a day, are let through.
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : HTTP_DATE.test(text) ? Date.parse(text) - now : Number.NaN;
  if (Number.isNaN(ms)) return DEFAULT_RETRY_AFTER_MS;
  return Math.min(Math.max(ms, 0), max);
}
