import { isRepositoryPrefix } from '../../oci/reference.ts';
import { UsageError } from '../config-path.ts';
import { withoutUser } from '../text-format.ts';

/** One of the two registries, as the command line names it. */
export type Side =
  | { kind: 'upstream'; name: string }
  /** `url` without a path; `prefix` of the repositories that are meant there. */
  | { kind: 'url'; url: string; prefix: string };

/** @throws UsageError */
export function readSide(text: string): Side {
  if (/^[a-z0-9][a-z0-9-]{0,30}$/.test(text)) return { kind: 'upstream', name: text };
  if (!/^https?:\/\//i.test(text))
    throw new UsageError(
      `${withoutUser(text)} is neither the name of an upstream nor a URL; a URL begins with https:// or http://`,
    );
  const url = URL.parse(text);
  if (!url) throw new UsageError(`${withoutUser(text)} is no URL that can be read`);
  if (url.username + url.password !== '')
    throw new UsageError(`credentials do not belong into the URL of ${url.host}; give --from-user or --to-user`);
  if (url.search + url.hash !== '') throw new UsageError(`${text} has more than a host and a prefix of repositories`);
  const prefix = url.pathname.slice(1);
  if (prefix !== '' && !isRepositoryPrefix(prefix))
    throw new UsageError(
      `${text}: after the host there may be a prefix of repositories, which ends in "/"; a single one is named by --repository`,
    );
  if (/^v[12]\//.test(prefix)) throw new UsageError(`${text}: leave ${prefix.slice(0, 3)} out of the URL`);
  return { kind: 'url', url: url.origin, prefix };
}

/** As messages call it. */
export function sideName(side: Side): string {
  return side.kind === 'upstream' ? side.name : new URL(side.url).host;
}
