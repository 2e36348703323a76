import type { Caller } from './caller.ts';
import type { TokenRequest } from './token-request.ts';

export interface TokenGrant {
  user: string | undefined;
  token: string;
  refreshToken: string | undefined;
  /** Seconds. */
  expiresIn: number;
  /** Epoch milliseconds. */
  issued: number;
  /** The granted scopes, separated by spaces. */
  scope: string;
  /** Set if the authority could not be reached. */
  outage?: OutageGrant | undefined;
}

/**
 * The basis of a token during an outage: a remembered grant, or the edge's own break-glass users. `detail`: why the authority could not be
 * reached.
 */
export interface OutageGrant {
  grant: 'remembered' | 'break-glass';
  detail: string;
}

/**
 * `credentials`: wrong or missing. `wait`: too many failed logins. `unavailable`: the authority cannot be reached, so the password is
 * neither right nor wrong. `idle`: right, but not valid now.
 */
export type TokenRefusal =
  | { refused: 'credentials' }
  | { refused: 'wait'; waitMs: number }
  | { refused: 'unavailable' | 'idle'; detail: string };

/** The edge's own token service, one for each `auth.mode`. */
export interface TokenIssuer {
  issue(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal>;
}

/** Milliseconds for which a token of an outage lasts: its client has to come back soon after the outage. */
export const OUTAGE_TOKEN_MS = 300_000;

/** Why the authority cannot be reached, in words that clients may see. */
export function outageDetail(error: unknown): string {
  return error instanceof Error && 'summary' in error ? String(error.summary) : 'it does not answer';
}
