import type { Place } from '../auth/authority.ts';
import type { Guard } from '../auth/guard.ts';
import type { Networks } from '../auth/networks.ts';
import type { TokenService } from '../auth/token-service.ts';
import type { Action } from '../config/access-rule.ts';

/** What `auth.mode` other than `open` brings to the stages of a request. */
export interface Access {
  guard: Guard;
  tokens: TokenService;
  /** Those that may pull without credentials. */
  anonymous: Networks;
  /** Name of the service that tokens are for. */
  service: string;
  /** Whether a user may do something now; for lists. */
  may(user: string, place: Place, action: Action): boolean;
}
