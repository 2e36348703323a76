import { parseChallenges } from '../oci/challenge.ts';
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
  | 'redirect-host'
  | 'storage'
  | 'redirect-loop'
  | 'too-large'
  | 'malformed'
  | 'saturated'
  | 'out-of-time';

export type Outcome =
  | { outcome: 'served' }
  | { outcome: 'redirect' }
  /** `confirmed`: a canary that was read after the 404 is good, so the upstream does see its storage. */
  | { outcome: 'absent'; confirmed: boolean }
  | { outcome: 'refused' }
  | { outcome: 'failed'; reason: Failure; retryAfterMs?: number };

export interface ResultFacts {
  status: number;
  wwwAuthenticate: string | undefined;
  retryAfter: string | undefined;
  /** Whose credentials the request carried: the client's own, the edge's, or none. */
  credentials: 'forward' | 'static' | 'none';
  /** It came from where a redirect led, not from the registry itself. */
  redirected: boolean;
  /** Harbor reports its database as unhealthy. */
  authorityDead: boolean;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const DEFAULT_RETRY_AFTER_MS = 5000;
const MAX_RETRY_AFTER_MS = 300_000;
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;

/** What the status of an answer means ("What an attempt's result means" in the design). A 404 still needs `confirmAbsence`. */
export function classify(facts: ResultFacts, now: number): Outcome {
  const { status } = facts;
  if (REDIRECTS.has(status)) return { outcome: 'redirect' };
  if ((status >= 200 && status < 300) || status === 304) return { outcome: 'served' };
  // The registry has it, or it would not have redirected: storage that denies or lacks it (an expired signature) is a failure.
  if (facts.redirected && status >= 400 && status < 500 && status !== 416)
    return { outcome: 'failed', reason: 'storage' };
  if (status === 404) return { outcome: 'absent', confirmed: false };
  if (status === 401 || status === 403) return classifyDenial(facts);
  if (status === 429)
    return { outcome: 'failed', reason: 'rate-limited', retryAfterMs: retryAfterMs(facts.retryAfter, now) };
  if (status >= 500) return { outcome: 'failed', reason: 'status-5xx' };
  if (status >= 400) return { outcome: 'refused' };
  return { outcome: 'failed', reason: 'malformed' };
}

function classifyDenial({ status, credentials, wwwAuthenticate, authorityDead }: ResultFacts): Outcome {
  // Harbor with a dead database answers 401 with an empty challenge: passed on, it would tell users that their password is wrong.
  if (status === 401 && (authorityDead || parseChallenges(wwwAuthenticate).length === 0))
    return { outcome: 'failed', reason: 'authority-dead' };
  if (credentials === 'forward') return { outcome: 'refused' };
  return { outcome: 'failed', reason: 'credentials' };
}

/**
 * What a 404 means once the canary was read again: nothing, if the upstream cannot read that either. If it is known to have had it, the
 * next one is asked, but nobody is to blame: it may have been deleted past this node.
 * @param known the ledger has a tag that is at this very digest there
 */
export function confirmAbsence(canary: CanaryState, known = false): Outcome {
  if (canary === 'failing') return { outcome: 'failed', reason: 'canary' };
  return { outcome: 'absent', confirmed: canary === 'good' && !known };
}

/** Milliseconds to leave an upstream alone: Retry-After in seconds or as a date (RFC 9110 section 10.2.3), bounded. */
export function retryAfterMs(retryAfter: string | undefined, now: number): number {
  const text = retryAfter?.trim() ?? '';
  // Date.parse makes a date of almost anything ("1.5", "-5"): only the forms of HTTP-date, which begin with a day, are let through.
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : HTTP_DATE.test(text) ? Date.parse(text) - now : Number.NaN;
  if (Number.isNaN(ms)) return DEFAULT_RETRY_AFTER_MS;
  return Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
