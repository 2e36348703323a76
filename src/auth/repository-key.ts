/** A repository with the identity that rules and tokens use. */
export interface RepositoryKey {
  /** The name that clients use; for other registries it begins with the registry's name. */
  name: string;
  /**
   * The name in tokens. In `auth.mode: delegate` this is the authority's own name, so that a grant opens nothing else, whatever routes lead
   * there. Otherwise it joins registry and repository in a form that no repository name has.
   */
  tokenName: string;
  /** Networks of `auth.anonymous` may pull the repository. */
  anonymous: boolean;
}

/** A repository in `auth.mode: delegate`. */
export interface DelegatedRepositoryKey extends RepositoryKey {
  /** The authority's name of the repository; undefined: the authority is not part of the route. */
  authorityName: string | undefined;
}
