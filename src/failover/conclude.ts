import { type ClockReading, wallTime } from '../clock/clock.ts';
import { absence, type ErrorCode, OciError, type UpstreamWords } from '../oci/error.ts';
import type { Failure } from './classify.ts';

/** The end of an attempt that did not serve. */
export interface AttemptEnding {
  upstream: string;
  outcome: 'absent' | 'failed';
  reason?: Failure;
  /** What the upstream said about its 404, or its 429. */
  words?: UpstreamWords | undefined;
  /** Milliseconds that a rate-limited upstream asked to wait. */
  retryAfterMs?: number | undefined;
}

/** What the message of a 503 tells beside the endings. */
export interface ConcludeFacts {
  /** What the client asked for, in its own names: `library/app:1.2`. */
  content: string;
  /** The upstream whose word about an absence settles it; undefined: each upstream may have content that the others lack. */
  authority?: string | undefined;
  /** Whether the word of the only upstream that was asked settles it too. Default: true. */
  soleCounts?: boolean | undefined;
  /** The upstream that may be hiding the content from this client, and alone may answer. */
  confinedTo?: string | undefined;
  /** Since when an upstream has been down (monotonic milliseconds), and why. Undefined: it is not down. */
  outage(upstream: string): { since: number; reason: string } | undefined;
  now: ClockReading;
}

const DAY_MS = 86_400_000;

/** What an upstream that is not down did, as the end of a sentence about it. */
export const DID: Readonly<Record<Failure, string>> = {
  connect: 'cannot be reached',
  dns: 'cannot be reached because its name does not resolve',
  tls: 'cannot be reached because the TLS handshake failed',
  reset: 'closed the connection',
  'first-byte': 'did not answer in time',
  late: 'did not answer in time',
  stall: 'stopped in the middle of its answer',
  short: 'broke off its answer',
  digest: 'sent content with a wrong digest',
  length: 'sent content of a wrong length',
  'status-5xx': 'answered with a server error',
  'rate-limited': 'is rate-limited',
  credentials: "refused the edge's credentials",
  'authority-dead': 'cannot check users because its database does not answer',
  canary: 'did not answer, and its canary failed',
  'content-lost': 'has lost content',
  'content-unclear': 'may have lost content',
  unproven: 'shows no content, so its storage may be missing',
  'redirect-host': 'redirected to a host that is not allowed',
  storage: 'cannot read its storage',
  'redirect-loop': 'redirected too often',
  'too-large': 'sent an answer that is too large',
  malformed: 'sent a malformed answer',
  saturated: 'has too many requests under way',
  descriptors: 'could not be asked, because this edge has no file descriptor left',
  'out-of-time': 'could not be asked in time',
};

/**
 * The reply when no attempt served: 404 only if every upstream said absent; 503 if one failed (rule 4), or 429 if all
 * that failed are rate-limited. The client then waits for the upstream that asks for the shortest wait. The words of the only one are its
 * message.
 * @param absent code of the 404: MANIFEST_UNKNOWN, BLOB_UNKNOWN or NAME_UNKNOWN
 */
export function conclude(endings: readonly AttemptEnding[], absent: ErrorCode, facts: ConcludeFacts): OciError {
  const settled = isSettled(endings, facts);
  const failed = endings.filter(({ outcome, reason }) => outcome === 'failed' && !(settled && reason === 'unproven'));
  if (endings.length > 0 && failed.length === 0) return absence(absent, endings.find(({ words }) => words)?.words);
  const { confinedTo } = facts;
  const why =
    confinedTo === undefined ? '' : `; no other upstream may answer before ${confinedTo} has shown the repository`;
  const message = `${explain(endings, failed, facts)}${why}; try again`;
  const limited = failed.length > 0 && failed.every(({ reason }) => reason === 'rate-limited');
  return limited ? rateLimited(failed, message) : new OciError('UNAVAILABLE', message);
}

/** Milliseconds for which a client waits if no upstream says how long. */
const DEFAULT_WAIT_MS = 5000;

function rateLimited(failed: readonly AttemptEnding[], message: string): OciError {
  const waitMs = Math.min(...failed.map(({ retryAfterMs = DEFAULT_WAIT_MS }) => retryAfterMs));
  const isOne = new Set(failed.map(({ upstream }) => upstream)).size === 1;
  const { code: shownCode, message: words } = (isOne && failed.find((ending) => ending.words)?.words) || {};
  const retryAfter = Math.max(1, Math.ceil(waitMs / 1000));
  return new OciError('TOOMANYREQUESTS', words ?? message, { retryAfter, ...(shownCode ? { shownCode } : {}) });
}

/**
 * Whether the 404 of an upstream that has never shown content counts all the same: no other upstream may have the content, or the one that
 * decides does not have it.
 */
function isSettled(
  endings: readonly AttemptEnding[],
  { authority, soleCounts = true }: Pick<ConcludeFacts, 'authority' | 'soleCounts'>,
): boolean {
  if (soleCounts && new Set(endings.map(({ upstream }) => upstream)).size === 1) return true;
  return endings.some(({ upstream, outcome }) => outcome === 'absent' && upstream === authority);
}

/** Such as: gcr does not have library/app:1.2; harbor, which may, has been down since 18:23 UTC (probe timed out) */
function explain(endings: readonly AttemptEnding[], failed: readonly AttemptEnding[], facts: ConcludeFacts): string {
  const lacking = unique(endings.filter(({ outcome }) => outcome === 'absent').map(({ upstream }) => upstream));
  const which = lacking.length > 0 ? ', which may,' : '';
  const troubles = unique(failed.map((ending) => `${ending.upstream}${which} ${trouble(ending, facts)}`));
  const lacks = `${lacking.join(' and ')} ${lacking.length === 1 ? 'does' : 'do'} not have ${facts.content}`;
  if (lacking.length > 0) return [lacks, ...troubles].join('; ');
  return `${facts.content} cannot be served now: ${troubles.join('; ') || 'no upstream could be asked'}`;
}

function trouble({ upstream, reason }: AttemptEnding, { outage, now }: ConcludeFacts): string {
  const down = outage(upstream);
  if (!down) return reason ? DID[reason] : 'failed';
  const [day, time = ''] = new Date(wallTime(down.since, now)).toISOString().split('T');
  const since = `${now.monotonic - down.since < DAY_MS ? '' : `${day} `}${time.slice(0, 5)} UTC`;
  return `has been down since ${since} (${down.reason})`;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

/**
 * Whether an absence is the answer. It must be confirmed and come from the route's first upstream, because a fallback may be behind. The
 * route must not say `onAbsent: next`.
 */
export function isAbsenceFinal(
  { confirmed, preferred }: { confirmed: boolean; preferred: boolean },
  onAbsent: 'stop' | 'next',
): boolean {
  return confirmed && preferred && onAbsent === 'stop';
}
