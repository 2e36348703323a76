// When a certificate is ordered, and by which edge. Pure: times are arguments, in epoch milliseconds, since certificates end at dates.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/** A certificate is renewed from this time before its end. */
export const RENEW_BEFORE_MS = 30 * DAY;
/** Of a certificate that is valid for less than three months, the last third counts. */
const RENEW_SHARE = 3;
/** Most orders of all edges within a week, unless an operator wants more. */
export const MAX_ORDERS = 2;
const FIRST_BACKOFF_MS = 10 * MINUTE;
const MAX_BACKOFF_MS = 12 * HOUR;
/** An edge that wants to order waits this long for the claims of others. */
export const SETTLE_MS = 10_000;
/** A claim that has no result after this time has none. */
export const CLAIM_MS = 20 * MINUTE;
/** An operator's wish that no edge could fulfil for so long is forgotten. */
export const WISH_MS = HOUR;
/** The longest wait until the next look. */
const MAX_WAIT_MS = HOUR;

/** A certificate that is in use, and whether it has all names. */
export interface CertificateSpan {
  from: number;
  until: number;
  complete: boolean;
}

/** An edge that wants to order, or does. */
export interface Claim {
  edge: string;
  /** Since when. */
  at: number;
  ordering: boolean;
}

export interface AcmeFacts {
  now: number;
  /** Undefined: there is none. */
  certificate: CertificateSpan | undefined;
  /** Whether this edge has a folder for the account. */
  mayOrder: boolean;
  /** Starts of the orders of all edges. */
  orders: readonly number[];
  /** Failed attempts of this edge since its last success. */
  failures: number;
  lastFailure: number | undefined;
  /** Id of this edge. */
  edge: string;
  /** Claims of all edges, its own among them. */
  claims: readonly Claim[];
  /** Whether there are other edges to hear of. */
  hasPeers: boolean;
  /** Whether an operator wants an order now, which this edge has not tried yet. */
  wished: boolean;
}

export type AcmeReason = 'valid' | 'follower' | 'backoff' | 'weekly' | 'other-edge' | 'settling';

export type AcmeStep = { do: 'order' } | { do: 'claim' } | { do: 'wait'; reason: AcmeReason; until: number };

/** What this edge does now. */
export function nextStep(facts: AcmeFacts): AcmeStep {
  const { now, mayOrder, edge, claims, hasPeers, wished } = facts;
  const due = renewalTime(facts.certificate);
  if (due > now && !wished) return wait('valid', due);
  if (!mayOrder) return wait('follower', now + MAX_WAIT_MS);
  const allowed = orderAllowed(facts.orders, now);
  if (allowed > now && !wished) return wait('weekly', allowed);
  const retry = retryTime(facts);
  if (retry > now && !wished) return wait('backoff', retry);
  if (!hasPeers) return { do: 'order' };
  const standing = claims.filter(({ at }) => Math.abs(now - at) < CLAIM_MS);
  const others = standing.filter((claim) => claim.edge !== edge);
  const ordering = others.find((claim) => claim.ordering);
  if (ordering) return wait('other-edge', ordering.at + CLAIM_MS);
  const own = standing.find((claim) => claim.edge === edge);
  if (!own) return { do: 'claim' };
  // Of edges that want to order at the same time, the one with the smallest id does.
  const before = others.find((claim) => claim.edge < edge);
  if (before) return wait('other-edge', before.at + CLAIM_MS);
  return own.at + SETTLE_MS > now ? wait('settling', own.at + SETTLE_MS) : { do: 'order' };
}

function wait(reason: AcmeReason, until: number): AcmeStep {
  return { do: 'wait', reason, until };
}

/** From when a certificate is renewed; 0: now. */
export function renewalTime(certificate: CertificateSpan | undefined): number {
  if (!certificate?.complete) return 0;
  const { from, until } = certificate;
  return until - Math.min(RENEW_BEFORE_MS, (until - from) / RENEW_SHARE);
}

/** From when another order is allowed. Orders that seem to come from the future count as of now. */
export function orderAllowed(orders: readonly number[], now: number): number {
  const recent = orders
    .map((at) => Math.min(at, now))
    .filter((at) => at > now - WEEK)
    .sort((a, b) => b - a);
  const oldest = recent[MAX_ORDERS - 1];
  return oldest === undefined ? 0 : oldest + WEEK;
}

/** From when a failed attempt is repeated. */
function retryTime({ failures, lastFailure, now }: AcmeFacts): number {
  // A failure that seems to be to come is one of a clock that was set back.
  if (failures === 0 || lastFailure === undefined || lastFailure > now) return 0;
  return lastFailure + backoffMs(failures);
}

export function backoffMs(failures: number): number {
  return Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 20), MAX_BACKOFF_MS);
}

/** Milliseconds until the next look; bounded, because clocks are set and other edges speak. */
export function lookAgainMs(step: AcmeStep, now: number, hasPeers: boolean): number {
  if (step.do !== 'wait') return 1_000;
  const most = hasPeers && step.reason !== 'valid' ? MINUTE : MAX_WAIT_MS;
  return Math.min(Math.max(step.until - now, 1_000), most);
}

/** Orders that still count. */
export function recentOrders(orders: readonly number[], now: number): number[] {
  return orders.filter((at) => at > now - WEEK).map((at) => Math.min(at, now));
}
