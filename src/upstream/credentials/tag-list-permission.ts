import { parseChallenges } from '../../oci/challenge.ts';
import type { Scope } from '../../oci/scope.ts';
import type { Answer } from '../client.ts';
import { UpstreamError } from '../upstream-error.ts';

/** What was found out of what was asked for. */
export interface Permissions {
  /** What the user may do, in the upstream's names. */
  granted: Scope[];
  /** Repositories whose pull is neither granted nor withheld. */
  undecided: string[];
  /** What may not be pulled. */
  denied: Scope[];
}

export interface TagListOptions {
  /** Reads a path of the upstream as the user. */
  read: (path: string) => Promise<Answer>;
  /** Resolves when one more request may be made of the upstream, with what ends it. */
  acquireSlot: () => Promise<() => void>;
}

type TagListVerdict = 'readable' | 'absent' | 'withheld';

/** Tag lists that are read for one login at a time. */
const MAX_PARALLEL_READS = 8;

/**
 * What credentials open that say nothing of it is found out by reading. Whether they may write is the upstream's to say when they do:
 * nobody else is written to. A repository that is not there may be one that is hidden from this user.
 * @throws UpstreamError where the upstream cannot say
 */
export async function permissionsByTagLists(
  scopes: readonly Scope[],
  { read, acquireSlot }: TagListOptions,
): Promise<Permissions> {
  const repositories = scopes.filter(({ type }) => type === 'repository');
  const verdicts = new Map<Scope, TagListVerdict>();
  const queue = repositories.values();
  let failed = false;
  const reader = async () => {
    for (const scope of queue) {
      if (failed) return;
      const releaseSlot = await acquireSlot();
      verdicts.set(scope, await read(`/v2/${scope.name}/tags/list?n=1`).then(tagListVerdict).finally(releaseSlot));
    }
  };
  const readers = Array.from({ length: MAX_PARALLEL_READS }, () =>
    reader().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  await Promise.all(readers);
  const pullScopesWith = (verdict: TagListVerdict) =>
    repositories.filter((scope) => scope.actions.includes('pull') && verdicts.get(scope) === verdict);
  return {
    granted: repositories.flatMap((scope) => {
      const actions = scope.actions.filter((action) => action !== 'pull' || verdicts.get(scope) === 'readable');
      return actions.length > 0 ? [{ ...scope, actions }] : [];
    }),
    undecided: pullScopesWith('absent').map(({ name }) => name),
    denied: pullScopesWith('withheld'),
  };
}

async function tagListVerdict(answer: Answer): Promise<TagListVerdict> {
  await answer.body.dump({ limit: 65_536 });
  if (answer.status >= 500 || answer.status === 429)
    throw new UpstreamError('status-5xx', `a tag list answers ${answer.status}`);
  if (answer.status === 401 && parseChallenges(answer.headers.joined('www-authenticate')).length === 0)
    throw new UpstreamError('authority-dead', 'a tag list answers 401 without a way to log in');
  if (answer.status === 404) return 'absent';
  return answer.status === 200 ? 'readable' : 'withheld';
}
