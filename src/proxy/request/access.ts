import type { Guard } from '../../auth/guard.ts';
import type { RepositoryKey } from '../../auth/repository-key.ts';
import type { TokenIssuer } from '../../auth/token-issuer.ts';
import type { Action } from '../../config/access-rule.ts';
import type { Networks } from '../../config/network.ts';

/** What `auth.mode` other than `open` brings to the stages of a request. */
export interface Access {
  guard: Guard;
  tokens: TokenIssuer;
  /** Those that may pull without credentials. */
  anonymous: Networks;
  /** Name of the service that tokens are for. */
  service: string;
  /** The only upstream whose catalog is shown, since it shows each user their own; undefined: any. */
  authority: string | undefined;
  /** Whether a user may do something now; for lists. */
  may(user: string, key: RepositoryKey, action: Action): boolean;
}
