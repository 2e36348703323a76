/** What the edge itself shows an upstream is refused there. Times are epoch milliseconds. */
export interface CredentialsRefusal {
  since: number;
  /** In words; never a credential. */
  reason: string;
  /** They open nothing at all, as a check of their own has found; otherwise something that was asked with them was denied. */
  whole: boolean;
}

/** `accepted` and `refused` are what a check of their own found; `denied` is what a request met. */
export type CredentialsNews = { kind: 'accepted' } | { kind: 'refused' | 'denied'; detail: string };

export interface CredentialsState extends CredentialsRefusal {
  /** When a request was last denied. */
  deniedAt: number;
}

/** For how long a denial stands that no check confirms: another request like it may not come soon, in milliseconds. */
const STANDS_MS = 60_000;

/**
 * What is known after news; undefined: nothing is wrong.
 *
 *   a check refused --a check is good--> nothing is wrong
 *   only requests were denied --none for a minute--> nothing is wrong
 */
export function nextCredentials(
  state: CredentialsState | undefined,
  news: CredentialsNews,
  now: number,
): CredentialsState | undefined {
  const standing = state && refusalAt(state, now) ? state : undefined;
  if (news.kind === 'accepted') return standing?.whole ? undefined : standing;
  const { since = now } = standing ?? {};
  if (news.kind === 'refused') return { since, reason: news.detail, whole: true, deniedAt: now };
  if (standing?.whole) return { ...standing, deniedAt: now };
  return { since, reason: news.detail, whole: false, deniedAt: now };
}

/** What of it stands now. */
export function refusalAt(state: CredentialsState | undefined, now: number): CredentialsRefusal | undefined {
  if (!state || (!state.whole && now - state.deniedAt >= STANDS_MS)) return undefined;
  const { since, reason, whole } = state;
  return { since, reason, whole };
}
