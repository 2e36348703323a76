/** A repository as a route of the edge knows it. */
export interface Place {
  /** As clients name it, below its registry's name if that is not the edge's own. */
  name: string;
  /** Networks of `auth.anonymous` may pull it. */
  anonymous: boolean;
}
