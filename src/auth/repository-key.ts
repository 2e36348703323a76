/** A repository as a route of the edge knows it. */
export interface RepositoryKey {
  /** As clients name it, below its registry's name if that is not the edge's own. */
  name: string;
  /**
   * As tokens name it: as the upstream that decides does, so that what it granted opens nothing else, whatever routes and names of other
   * registries may lead there; else by registry and repository, which no repository is called like.
   */
  tokenName: string;
  /** Networks of `auth.anonymous` may pull it. */
  anonymous: boolean;
}

/** One of `auth.mode: delegate`. */
export interface DelegatedRepositoryKey extends RepositoryKey {
  /** Its name there; undefined: the authority knows nothing of this route. */
  authorityName: string | undefined;
}
