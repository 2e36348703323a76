import type { RepositoryPair } from './compare/comparison.ts';
import type { CopyRoute } from './copy-route.ts';

/** What is to be brought in step: a tag or a digest of one repository, on one way. */
export interface CopyTask {
  on: CopyRoute;
  repository: RepositoryPair;
  reference: string;
  /** `delete`: the source has deleted it, and the route has deletions follow. */
  kind: 'copy' | 'delete';
}

export function keyOfTask({ on, repository, reference, kind }: CopyTask): string {
  return [kind, on.name, repository.source, reference].join('\n');
}
