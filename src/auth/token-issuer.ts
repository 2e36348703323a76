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
  /** What was granted, space-separated; what was asked beyond it is left out. */
  scope: string;
  /** Made while the authority could not be asked. */
  outage?: OutageGrant | undefined;
}

/** On whose word: what the authority said before, or the edge's own break-glass users. `detail`: why it could not be asked. */
export interface OutageGrant {
  grant: 'remembered' | 'break-glass';
  detail: string;
}

/**
 * `credentials`: they are wrong, or some are needed; `wait`: too many were wrong; `unavailable`: nobody can say, which is no reason to
 * call a password wrong; `idle`: they are right, but not for now.
 */
export type TokenRefusal =
  | { refused: 'credentials' }
  | { refused: 'wait'; waitMs: number }
  | { refused: 'unavailable' | 'idle'; detail: string };

/** The edge's own token service, whoever decides behind it. */
export interface TokenIssuer {
  issue(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal>;
}

/** Tokens made while the authority cannot be asked are short, in milliseconds: their bearer is to come back when it can be. */
export const OUTAGE_TOKEN_MS = 300_000;

/** Why the authority cannot be asked, in words that clients may see. */
export function outageDetail(error: unknown): string {
  return error instanceof Error && 'summary' in error ? String(error.summary) : 'it does not answer';
}
