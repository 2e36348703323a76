import type { Action } from '../config/access-rule.ts';

/** What the edge knows of a user's rights in a repository, without a password and without asking. */
export type KnownRights =
  /** The edge's own rules decide. */
  | { by: 'rules'; exists: boolean; actions: readonly Action[] }
  /** The rules decide, while the authority cannot be reached. */
  | { by: 'break-glass'; exists: boolean; mayPull: boolean; authority: string; isReachable: boolean }
  | RememberedRights;

/** The authority decides. */
export interface RememberedRights {
  by: 'authority';
  authority: string;
  /** As far as known without asking. */
  isReachable: boolean;
  /** The repository lies on the authority, so that it decides about it. */
  isKnownThere: boolean;
  /** Milliseconds for which rights are remembered. */
  keepMs: number;
  /** Milliseconds for which a login, and its pull, are still remembered. Undefined: this edge has seen no login. */
  remembered: { passwordMs: number; pullMs: number } | undefined;
  /** Milliseconds for which it is remembered that every client may pull. */
  openMs: number;
}
