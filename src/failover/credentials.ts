/** What credentials of the edge's own are for. `own`: pulls and pushes, and all else that has no credentials of its own. */
export type CredentialRole = 'own' | 'probe' | 'replication';

/** An upstream refuses the edge's own credentials. Times are monotonic milliseconds. */
export interface CredentialsRefusal {
  since: number;
  /** Plain text for the operator; never a credential. */
  reason: string;
  /** A check found that the credentials open nothing. Otherwise single requests with them were denied. */
  total: boolean;
}

/** `accepted` and `refused` are results of a check; `denied` is the answer to a request. */
export type CredentialsEvent = { kind: 'accepted' } | { kind: 'refused' | 'denied'; detail: string };

export interface CredentialsState extends CredentialsRefusal {
  /** When a request was last denied. */
  deniedAt: number;
  /** The first check that found the credentials refused, since one was good. */
  refusedAt?: number | undefined;
}

/** Milliseconds for which an unconfirmed denial counts: a similar request may not come soon. */
const DENIAL_MS = 60_000;

/**
 * What is known after news; undefined: nothing is wrong.
 *
 *   a check refused --a check is good--> nothing is wrong
 *   only requests were denied --none for a minute--> nothing is wrong
 *
 * @param confirmMs a check that refused counts only if another one refuses, so many milliseconds later. Harbor refuses the right password
 * of a person for 1.5 s after somebody has tried a wrong one.
 */
export function nextCredentials(
  state: CredentialsState | undefined,
  news: CredentialsEvent,
  now: number,
  confirmMs = 0,
): CredentialsState | undefined {
  const standing = state && currentRefusal(state, now) ? state : undefined;
  if (news.kind === 'accepted') return standing?.total ? undefined : standing && { ...standing, refusedAt: undefined };
  const { since = now } = standing ?? {};
  const { detail: reason } = news;
  const refusedAt = state?.refusedAt;
  if (news.kind === 'denied')
    return standing?.total ? { ...standing, deniedAt: now } : { since, reason, total: false, deniedAt: now, refusedAt };
  const first = refusedAt ?? now;
  if (standing?.total || now - first >= confirmMs)
    return { since, reason, total: true, deniedAt: now, refusedAt: first };
  return standing
    ? { ...standing, refusedAt: first }
    : { since, reason, total: false, deniedAt: NEVER, refusedAt: first };
}

/** No request was denied: the refusal does not count yet. */
const NEVER = Number.NEGATIVE_INFINITY;

/** The refusal that counts now. */
export function currentRefusal(state: CredentialsState | undefined, now: number): CredentialsRefusal | undefined {
  if (!state || (!state.total && now - state.deniedAt >= DENIAL_MS)) return undefined;
  const { since, reason, total } = state;
  return { since, reason, total };
}
