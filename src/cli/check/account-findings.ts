import type { AccountView } from '../../failover/view.ts';
import { KEYS } from '../../status/snapshot/account-lines.ts';
import type { CheckFinding } from './reachability.ts';

const ENDS_SOON_MS = 14 * 86_400_000;

/**
 * Findings about the accounts that the edge has at an upstream: refused ones, and ones that will end.
 * @param now epoch milliseconds
 */
export function accountFindings(upstream: string, accounts: readonly AccountView[], now: number): CheckFinding[] {
  return accounts.flatMap((account) => [
    ...renewalFinding(upstream, account),
    ...refusalFinding(upstream, account),
    ...endFinding(upstream, account, now),
  ]);
}

/** Whether the program or service gives credentials. */
function renewalFinding(upstream: string, { role, username, renewal }: AccountView): CheckFinding[] {
  if (!renewal) return [];
  const subject = `upstreams.${upstream}.${KEYS[role]}`;
  if (!renewal.problem) return [{ level: 'ok', subject, message: `${username} gives credentials` }];
  const message = `${username} gives no credentials: ${renewal.problem.reason}`;
  const remedy = 'correct that, or set other credentials: docs/upstream-credentials.md has the kinds';
  return [{ level: 'error', subject, message, remedy }];
}

/** A refusal of the credentials of pulls has its finding already. */
function refusalFinding(upstream: string, { role, username, refusal }: AccountView): CheckFinding[] {
  if (role === 'own' || refusal?.total !== true) return [];
  return [
    {
      level: 'error',
      subject: `upstreams.${upstream}.${KEYS[role]}`,
      message: `the credentials of ${username} are refused: ${refusal.reason}`,
      remedy: 'renew the secret, and write it to passwordFile; give a robot of Harbor an end that is "never"',
    },
  ];
}

function endFinding(upstream: string, { role, username, refusal, expires }: AccountView, now: number): CheckFinding[] {
  if (refusal || typeof expires !== 'number') return [];
  const subject = `upstreams.${upstream}.${KEYS[role]}`;
  const day = new Date(expires).toISOString().slice(0, 10);
  const left = expires - now;
  if (left > ENDS_SOON_MS) return [{ level: 'ok', subject, message: `${username} is valid until ${day}` }];
  const message = left > 0 ? `${username} ends on ${day}` : `${username} ended on ${day}`;
  return [
    { level: 'warning', subject, message, remedy: 'give it a later end, or none, before the upstream refuses it' },
  ];
}
