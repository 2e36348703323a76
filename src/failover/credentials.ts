/** What the edge itself shows an upstream is refused there. Times are epoch milliseconds. */
export interface CredentialsRefusal {
  since: number;
  /** In words; never a credential. */
  reason: string;
  /** They open nothing at all, as a check of their own has found; otherwise something that was asked with them was denied. */
  total: boolean;
}

/** `accepted` and `refused` are what a check of their own found; `denied` is what a request met. */
export type CredentialsEvent = { kind: 'accepted' } | { kind: 'refused' | 'denied'; detail: string };

export interface CredentialsState extends CredentialsRefusal {
  /** When a request was last denied. */
  deniedAt: number;
}

/** For how long a denial stands that no check confirms: another request like it may not come soon, in milliseconds. */
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

/** What of it stands now. */
export function currentRefusal(state: CredentialsState | undefined, now: number): CredentialsRefusal | undefined {
  if (!state || (!state.total && now - state.deniedAt >= DENIAL_MS)) return undefined;
  const { since, reason, total } = state;
  return { since, reason, total };
}
