import type { UpstreamConfig } from '../../config/schema.ts';
import { LOCK_MS } from '../../failover/authority-evidence.ts';
import type { CredentialRole } from '../../failover/credentials.ts';
import type { UpstreamEvents } from '../events.ts';
import { configuredAccounts } from './configured-users.ts';
import { type Expiry, isRobot } from './harbor-account.ts';
import { OwnAccount } from './own-account.ts';
import type { RenewalView } from './own-user.ts';

/** What an account asks of the upstream. */
interface AccountChecks {
  accountRenewal: (role: CredentialRole) => RenewalView | undefined;
  checkAccount: (role: CredentialRole, signal: AbortSignal) => Promise<void>;
  accountExpiry: (role: CredentialRole, signal: AbortSignal) => Promise<Expiry>;
}

export interface OwnAccountsOptions {
  /** The upstream's name. */
  name: string;
  config: UpstreamConfig;
  events: UpstreamEvents;
  connection: () => AccountChecks | undefined;
  /** Called after the events. */
  onNews: () => void;
}

/** Milliseconds beyond the moment for which Harbor refuses the right password of a person after somebody has tried a wrong one. */
const AFTER_LOCK_MS = LOCK_MS + 500;

/** The accounts of the edge's own at an upstream: that of pulls and pushes, which may have no credentials, and those of probes and copies. */
export function ownAccounts(options: OwnAccountsOptions): [own: OwnAccount, ...others: OwnAccount[]] {
  const names = configuredAccounts(options.config);
  const account = (role: CredentialRole) => makeAccount(options, role, names.get(role));
  const others = [...names.keys()].filter((role) => role !== 'own');
  return [account('own'), ...others.map(account)];
}

function makeAccount(
  { name, config: { probe }, events, connection, onNews }: OwnAccountsOptions,
  role: CredentialRole,
  username: string | undefined,
): OwnAccount {
  const about = { role, username };
  const mayBeLocked = probe.kind === 'harbor' && username !== undefined && !isRobot(username);
  return new OwnAccount({
    ...about,
    check: username === undefined ? undefined : async (signal) => connection()?.checkAccount(role, signal),
    renewal: () => connection()?.accountRenewal(role),
    readExpiry: async (signal) => connection()?.accountExpiry(role, signal),
    timing: probe,
    refusalMs: probe.kind === 'harbor' ? LOCK_MS : 0,
    confirmMs: mayBeLocked ? AFTER_LOCK_MS : 0,
    onNews: (detail) => {
      events.credentials(name, detail, about);
      onNews();
    },
    onExpiry: (at) => {
      if (typeof at === 'number') events.credentialsEnd?.(name, at, about);
    },
  });
}
