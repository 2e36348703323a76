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
  /** It stands on what the authority said before it could not be asked any more. */
  remembered?: boolean;
}

/**
 * `credentials`: they are wrong, or some are needed; `wait`: too many were wrong; `unavailable`: nobody can say, which is no reason to
 * call a password wrong.
 */
export type TokenRefusal =
  | { refused: 'credentials' }
  | { refused: 'wait'; waitMs: number }
  | { refused: 'unavailable'; detail: string };

/** The edge's own token service, whoever decides behind it. */
export interface Tokens {
  answer(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal>;
}
