import type { Attempt } from '../../failover/plan.ts';

/**
 * An upstream's error in the client's names. Registries put the repository into messages and details, some with their
 * host before it.
 * @param repository the client's name for `attempt.repository`
 */
export function errorInClientNames(
  body: Buffer,
  attempt: Pick<Attempt, 'repository' | 'url'>,
  repository: string,
): Buffer {
  const { repository: inner, url } = attempt;
  if (inner === '' || inner === repository) return body;
  const host = literal(new URL(url).host);
  // Only the whole name is replaced, not a part of a longer name or of a path.
  const name = new RegExp(`(?:${host}/|(?<![\\w./-]))${literal(inner)}(?![\\w/-]|\\.\\w)`, 'g');
  return Buffer.from(body.toString('utf8').replace(name, repository));
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
