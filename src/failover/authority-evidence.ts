/**
 * How much a refused login proves (rule 13). Harbor refuses every login while its database is down, and refuses a user's right password
 * for a moment after a wrong one. So a refusal is obeyed, but what the user was granted before is forgotten only on evidence that the
 * authority is well.
 */

/**
 * The answer to the canary's login, which is known to be good. `failing`: it was refused. `silent`: it was not answered. `none`: there is no
 * such login, or it can no longer be used.
 */
export type AuthorityCanary = { state: 'well'; tookMs: number } | { state: 'failing' | 'silent' | 'none' };

/** What is known of the authority just after it refused something. */
export interface AuthorityHealth {
  canary: AuthorityCanary;
  /** Harbor's unhealthy components. */
  unhealthy: readonly string[];
  /** The authority is known to delay each refusal of a wrong password (`delaysRefusals`). */
  delaysRefusals: boolean;
}

/** Denials of one thing without an acceptance between them. Times are monotonic milliseconds. */
export interface DenialStreak {
  count: number;
  since: number;
  last: number;
}

/**
 * `proven`: the authority has checked it. `sick`: the authority cannot check logins now. `unproven`: either is possible.
 */
export type DenialVerdict = 'proven' | 'sick' | 'unproven';

/**
 * Harbor answers a wrong password after this many milliseconds, and refuses every login of that name at once until then
 * (goharbor/harbor, src/core/auth/authenticator.go). Secrets of robots are refused after the same time, but never locked.
 */
export const LOCK_MS = 1500;
/** The answers of the canary and of the user differ by this many milliseconds in their ways through network and database. */
const JITTER_MS = 200;
const STREAK_COUNT = 3;
const STREAK_MS = 60_000;
/** Denials with a longer gap between them have nothing to do with each other. */
const STREAK_GAP_MS = 600_000;

/** Modes in which Harbor checks each password itself, and delays the refusal. With OIDC it refuses at once. */
const DELAYING_MODES = ['db_auth', 'ldap_auth', 'uaa_auth', 'http_auth'];

/** @param authMode Harbor's `auth_mode`; undefined: it is not known */
export function delaysRefusals(authMode: string | undefined): boolean {
  return authMode !== undefined && DELAYING_MODES.includes(authMode);
}

/**
 * Whether a refusal came before its authority can have checked the password.
 * @param refusalMs how long the refusal took at an authority that delays refusals; undefined: this one does not
 * @param canaryMs how long an answer takes without the delay
 */
export function isUnchecked(refusalMs: number | undefined, canaryMs = 0): boolean {
  return refusalMs !== undefined && refusalMs - canaryMs < LOCK_MS - JITTER_MS;
}

/**
 * Judges a denial of something that was granted before.
 * @param refusalMs as for `isUnchecked`
 * @param streak with this denial in it
 */
export function judgeDenial(
  refusalMs: number | undefined,
  { canary, unhealthy, delaysRefusals }: AuthorityHealth,
  streak: DenialStreak,
): DenialVerdict {
  if (unhealthy.includes('database') || canary.state === 'failing') return 'sick';
  // The next question shows whether the authority answers at all.
  if (canary.state === 'silent') return 'unproven';
  if (canary.state === 'well' && !isUnchecked(refusalMs, canary.tookMs)) return 'proven';
  // The name is locked, over and over, or a directory such as LDAP is down. Neither says anything of the password, however long it lasts.
  if (canary.state === 'well' && delaysRefusals) return 'unproven';
  const lasting = streak.count >= STREAK_COUNT && streak.last - streak.since >= STREAK_MS;
  return lasting && unhealthy.length === 0 ? 'proven' : 'unproven';
}

export function nextStreak(streak: DenialStreak | undefined, now: number): DenialStreak {
  if (!streak || now - streak.last > STREAK_GAP_MS) return { count: 1, since: now, last: now };
  return { ...streak, count: streak.count + 1, last: now };
}
