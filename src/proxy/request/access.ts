import type { Guard } from '../../auth/guard.ts';
import type { KnownRights } from '../../auth/known-rights.ts';
import type { DelegatedRepositoryKey, RepositoryKey } from '../../auth/repository-key.ts';
import type { TokenIssuer } from '../../auth/token-issuer.ts';
import type { Action } from '../../config/access-rule.ts';
import type { NetworkSet } from '../../config/network.ts';

/** The parts of access control that the stages of a request use. There is none in `auth.mode: open`. */
export interface Access {
  guard: Guard;
  tokens: TokenIssuer;
  /** Whether a text is a JWT of `auth.issuers`, which counts as a login. It may be forged. Undefined: there are no issuers. */
  takesJwt?: ((token: string) => boolean) | undefined;
  /** Networks whose clients may pull without credentials. */
  anonymous: NetworkSet;
  /** Name of the service that tokens are for. */
  service: string;
  /**
   * The upstream that decides who may do what. Only its catalog is shown, because it shows each user their own.
   * Undefined: the edge decides itself.
   */
  authority: string | undefined;
  /** Whether a user may do something now. Lists are filtered by it. */
  may(user: string, key: RepositoryKey, action: Action): boolean;
  /** What is known of a user's rights, for `explain`. */
  rightsOf(user: string, key: DelegatedRepositoryKey): KnownRights;
}
