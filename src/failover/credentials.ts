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
}

/** Milliseconds for which an unconfirmed denial counts: a similar request may not come soon. */
const DENIAL_MS = 60_000;

/**
 * What is known after news; undefined: nothing is wrong.
 *
 *   a check refused --a check is good--> nothing is wrong
 *   only requests were denied --none for a minute--> nothing is wrong
 */
export function nextCredentials(
  state: CredentialsState | undefined,
  news: CredentialsEvent,
  now: number,
): CredentialsState | undefined {
  const standing = state && currentRefusal(state, now) ? state : undefined;
  if (news.kind === 'accepted') return standing?.total ? undefined : standing;
  const { since = now } = standing ?? {};
  if (news.kind === 'refused') return { since, reason: news.detail, total: true, deniedAt: now };
  if (standing?.total) return { ...standing, deniedAt: now };
  return { since, reason: news.detail, total: false, deniedAt: now };
}

/** The refusal that counts now. */
export function currentRefusal(state: CredentialsState | undefined, now: number): CredentialsRefusal | undefined {
  if (!state || (!state.total && now - state.deniedAt >= DENIAL_MS)) return undefined;
  const { since, reason, total } = state;
  return { since, reason, total };
}
