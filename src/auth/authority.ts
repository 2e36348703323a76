import type { Action } from '../config/access-rule.ts';

/** A repository as a route of the edge knows it. */
export interface Place {
  /** As clients name it, below its registry's name if that is not the edge's own. */
  name: string;
  /** Networks of `auth.anonymous` may pull it. */
  anonymous: boolean;
}

/** Who decides what users may do. */
export interface Authority {
  /** Whether this is known to be right without computing anything. */
  remembers(user: string, password: string): boolean;
  authenticate(user: string, password: string): Promise<boolean>;
  /** What tokens of the user stand on; undefined: no such user. */
  basis(user: string): string | undefined;
  may(user: string, place: Place, action: Action): boolean;
}
