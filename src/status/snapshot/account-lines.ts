import type { AccountSnapshot, UpstreamSnapshot } from './upstream-snapshot.ts';

/** Credentials whose end is nearer are reported; milliseconds. */
export const ENDS_SOON_MS = 14 * 86_400_000;
const DAY_MS = 86_400_000;

/** The keys of accounts, below that of their upstream. */
export const KEYS: Record<AccountSnapshot['role'], string> = {
  own: 'credentials',
  probe: 'probe.credentials',
  replication: 'replication.credentials',
};
const REFUSED: Record<AccountSnapshot['role'], string> = {
  own: "has refused this edge's credentials",
  probe: "has refused the probe's credentials",
  replication: 'has refused the credentials of copies',
};
/** Whose credentials they are, in the words of the status. */
export const USES: Record<AccountSnapshot['role'], string> = {
  own: "this edge's credentials",
  probe: "the probe's credentials",
  replication: 'the credentials of copies',
};
/** What is lost while they are refused. */
const LOST: Record<AccountSnapshot['role'], string> = {
  own: '',
  probe: ' Until then, its canary is read without them, or not at all.',
  replication: ' Until then, nothing is copied, and coverage is not known.',
};

export interface AccountNews {
  lines: string[];
  /** Whether something is wrong, or soon will be. */
  degraded: boolean;
}

/**
 * What the status says of the edge's own accounts at an upstream. Clients see nothing of them, and only the operator can renew them.
 * @param clock shows a time
 */
export function accountNews(
  upstreams: readonly UpstreamSnapshot[],
  clock: (iso: string) => string,
  now: number,
): AccountNews {
  const lines = upstreams.flatMap((upstream) => [
    ...refusalLines(upstream, clock),
    ...upstream.accounts.flatMap((account) => renewalLines(upstream.name, account, clock)),
    ...upstream.accounts.flatMap((account) => endLines(upstream.name, account, now)),
  ]);
  return { lines, degraded: lines.length > 0 };
}

function refusalLines({ name, credentials, accounts }: UpstreamSnapshot, clock: (iso: string) => string): string[] {
  const refused = [
    ...(credentials?.state === 'refused' ? [{ role: 'own' as const, username: undefined, ...credentials }] : []),
    ...accounts.filter(({ role, state }) => role !== 'own' && state === 'refused'),
  ];
  return refused.map(({ role, username, since = '', reason = '' }) => {
    const who = username === undefined ? '' : ` (${username})`;
    return `${name} ${REFUSED[role]}${who} since ${clock(since)} (${reason}). Renew them.${LOST[role]}`;
  });
}

function renewalLines(
  upstream: string,
  { role, username, renewal }: AccountSnapshot,
  clock: (iso: string) => string,
): string[] {
  if (!renewal?.problem) return [];
  const { since, reason } = renewal.problem;
  const { givenAt } = renewal;
  const now = givenAt === null ? 'There are none yet, so requests fail' : `Those of ${clock(givenAt)} stay in use`;
  return [`${upstream}: ${USES[role]} cannot be renewed since ${clock(since)} by ${username}: ${reason}. ${now}.`];
}

function endLines(upstream: string, { role, username, state, expires }: AccountSnapshot, now: number): string[] {
  if (state === 'refused' || expires === null || expires === 'never') return [];
  const left = Date.parse(expires) - now;
  if (left > ENDS_SOON_MS) return [];
  const days = Math.floor(left / DAY_MS);
  const when =
    left <= 0 ? 'has ended' : `ends on ${expires.slice(0, 10)} (in ${days === 1 ? '1 day' : `${days} days`})`;
  return [`The account ${username} at ${upstream} (${USES[role]}) ${when}. Renew it.`];
}
