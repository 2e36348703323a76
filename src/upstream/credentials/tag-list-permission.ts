import PQueue from 'p-queue';
import { parseChallenges } from '../../oci/challenge.ts';
import type { Scope } from '../../oci/scope.ts';
import { dropBody } from '../body/explanatory-body.ts';
import type { Answer } from '../client.ts';
import { UpstreamError } from '../upstream-error.ts';

/** What a user may do, of the scopes asked for. */
export interface Permissions {
  /** Scopes that the user has, in the upstream's names. */
  granted: Scope[];
  /** Repositories whose pull is neither granted nor denied. */
  undecided: string[];
  /** Scopes whose pull is denied. */
  denied: Scope[];
}

export interface TagListOptions {
  /** Reads a path of the upstream as the user. */
  read: (path: string) => Promise<Answer>;
  /** Waits until one more request may be sent to the upstream. @returns frees the slot */
  acquireSlot: () => Promise<() => void>;
}

type TagListVerdict = 'readable' | 'absent' | 'denied';

/** Tag lists read at a time for one login. */
const MAX_PARALLEL_READS = 8;

/**
 * Finds out by reading tag lists what credentials allow, where their token does not tell. Write scopes are granted
 * here, because the push upstream decides on each push. A repository that does not exist stays undecided: it may be
 * hidden from this user.
 * @throws UpstreamError when the upstream cannot tell
 */
export async function permissionsByTagLists(
  scopes: readonly Scope[],
  { read, acquireSlot }: TagListOptions,
): Promise<Permissions> {
  const repositories = scopes.filter(({ type }) => type === 'repository');
  const verdicts = new Map<Scope, TagListVerdict>();
  const queue = new PQueue({ concurrency: MAX_PARALLEL_READS });
  const reads = repositories.map((scope) => async () => {
    const releaseSlot = await acquireSlot();
    verdicts.set(scope, await read(`/v2/${scope.name}/tags/list?n=1`).then(tagListVerdict).finally(releaseSlot));
  });
  // After a failure no further list is read.
  await queue.addAll(reads).finally(() => queue.clear());
  const pullScopesWith = (verdict: TagListVerdict) =>
    repositories.filter((scope) => scope.actions.includes('pull') && verdicts.get(scope) === verdict);
  return {
    granted: repositories.flatMap((scope) => {
      const actions = scope.actions.filter((action) => action !== 'pull' || verdicts.get(scope) === 'readable');
      return actions.length > 0 ? [{ ...scope, actions }] : [];
    }),
    undecided: pullScopesWith('absent').map(({ name }) => name),
    denied: pullScopesWith('denied'),
  };
}

async function tagListVerdict(answer: Answer): Promise<TagListVerdict> {
  await dropBody(answer.body);
  rejectPage(answer, 'a tag list');
  if (answer.status >= 500 || answer.status === 429)
    throw new UpstreamError('status-5xx', `a tag list answers ${answer.status}`);
  if (answer.status === 401 && parseChallenges(answer.headers.joined('www-authenticate')).length === 0)
    throw new UpstreamError('authority-dead', 'a tag list answers 401 without a way to log in');
  if (answer.status === 404) return 'absent';
  return answer.status === 200 ? 'readable' : 'denied';
}

/**
 * A proxy before the registry may answer everything with a page of its own, such as a login form.
 * @throws UpstreamError malformed
 */
export function rejectPage({ status, headers }: Answer, what: string): void {
  if (status === 200 && /^text\/html\b/i.test(headers.get('content-type') ?? ''))
    throw new UpstreamError('malformed', `${what} answers with a page of HTML`);
}
