import { hasShrunk } from '../../failover/shrunk-list.ts';
import { CopyError, messageOf } from '../copy-error.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';

/** Repositories of a list that shrank that are asked for by name. */
const MAX_ASKED = 10;

/**
 * Checks a list of repositories against those that were known before. If many are missing, some are asked for by name: those that are there
 * still, or are denied, show that the list is only a part.
 * @param known names on the registry
 * @throws CopyError if the list is only a part, or may be; UpstreamError
 */
export async function checkListIsWhole(
  registry: Pick<RemoteRegistry, 'name' | 'tags'>,
  known: ReadonlySet<string>,
  listed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const missing = [...known].filter((name) => !listed.has(name));
  if (!hasShrunk(known.size, missing.length)) return;
  for (const repository of missing.slice(0, MAX_ASKED)) {
    const finding = await registry.tags(repository, signal).then(
      (tags) => (tags.length > 0 ? 'which is there' : undefined),
      (error: unknown) => {
        signal.throwIfAborted();
        return `which cannot be read (${messageOf(error)})`;
      },
    );
    if (finding === undefined) continue;
    throw new CopyError(
      `${registry.name} lists ${missing.length} of ${known.size} known repositories no more, such as ${repository}, ${finding}: ` +
        'the account of copies has ended or has lost rights, so coverage is not known',
    );
  }
}
