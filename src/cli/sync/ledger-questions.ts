import type { KnownTagState } from '../../failover/newer-copy.ts';
import { imageName } from '../../oci/reference.ts';
import type { Explanation } from '../../proxy/endpoints/explain.ts';
import type { RepositoryPair } from '../../replication/copy-route.ts';
import type { RepositoryMap } from '../../replication/sync/repository-map.ts';
import { AdminError, askAdmin } from '../ask/admin-client.ts';
import type { SyncCommandOptions } from './options.ts';

/** Asks the ledger of a running edge, which has what its peers know too. */
export class LedgerQuestions {
  readonly #map: RepositoryMap;
  readonly #upstream: string;
  readonly #options: Pick<SyncCommandOptions, 'config' | 'admin' | 'tokenFile'>;
  /** Why the ledger is not known; undefined: the edge answers. */
  failure: string | undefined;

  /** @param upstream the target, whose tags the ledger may know */
  constructor(map: RepositoryMap, upstream: string, options: SyncCommandOptions) {
    this.#map = map;
    this.#upstream = upstream;
    this.#options = options;
  }

  /** The states of a tag at the target, newest first; empty: nothing is known, or no edge answers. @throws UsageError */
  async statesOf(repository: RepositoryPair, tag: string): Promise<readonly KnownTagState[]> {
    const name = this.#map.clientName(repository);
    if (name === undefined || this.failure !== undefined) return [];
    try {
      const image = encodeURIComponent(imageName(name, tag));
      const { ledger } = await askAdmin<Explanation>(this.#options, `/api/explain?image=${image}`);
      // The ledger has the tags of the upstream that is authoritative for the route.
      if (ledger?.upstream !== this.#upstream) return [];
      return ledger.states.map(({ digest, confirmedAt }) => ({ digest, confirmedAt: Date.parse(confirmedAt) }));
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      this.failure = error.message;
      return [];
    }
  }
}
