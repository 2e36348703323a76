import type { ClientUser } from '../helpers/container-client.ts';
import type { FrontState } from '../helpers/registry-front.ts';
import type { Owner } from '../helpers/temporary-folder.ts';

/** What is wrong with who decides. */
export type Outage = Exclude<FrontState, 'well'>;

/** The registry that decides in one mode, or that the edge's own users lead to, and how it fails. */
export interface Primary {
  url: string;
  /** Where images are put past the edge. `127.0.0.1:PORT` */
  address: string;
  /** Its own users that clients come as, or those of the edge. */
  users: { alice: ClientUser; bob: ClientUser };
  /** Who pushes past the edge. */
  pusher: ClientUser | undefined;
  /** Adds to the configuration of the upstream. */
  upstream: Record<string, unknown>;
  auth: Record<string, unknown>;
  /** Whether the registry itself, and not only its token service, is gone in an outage. */
  whole: boolean;
  /** The user is no user of it any more. */
  remove(name: string): Promise<void>;
  fail(outage: Outage): Promise<void>;
  mend(): Promise<void>;
}

export interface Mode {
  name: string;
  /** Who says what users may do; `nobody`: the primary, for itself alone. */
  decides: 'nobody' | 'edge' | 'primary';
  /** Anybody of the primary's users may pull everything. */
  everyUserMay?: boolean;
  start: (owner: Owner) => Promise<Primary>;
}
