import { isRepositoryPrefix } from '../../oci/reference.ts';
import { UsageError } from '../config-path.ts';
import { withoutUser } from '../text-format.ts';

/** The source or the target, as named on the command line. */
export interface Side {
  /** As on the command line. */
  text: string;
  /** The name in messages: that of the upstream, or the host of the URL. */
  name: string;
  /** Has no path; undefined for an upstream of the configuration. */
  url: string | undefined;
  /** Limits the repositories; empty for all. */
  prefix: string;
}

/** @throws UsageError */
export function readSide(text: string): Side {
  if (/^[a-z0-9][a-z0-9-]{0,30}$/.test(text)) return { text, name: text, url: undefined, prefix: '' };
  if (!/^https?:\/\//i.test(text))
    throw new UsageError(`${withoutUser(text)} is neither the name of an upstream nor a URL with https:// or http://`);
  const url = URL.parse(text);
  if (!url) throw new UsageError(`${withoutUser(text)} is not a valid URL`);
  if (url.username + url.password !== '')
    throw new UsageError(`the URL of ${url.host} must not have a user or password; use --from-user or --to-user`);
  if (url.search + url.hash !== '') throw new UsageError(`${text} must have only a host and a prefix of repositories`);
  const prefix = url.pathname.slice(1);
  if (prefix !== '' && !isRepositoryPrefix(prefix))
    throw new UsageError(`${text}: a prefix of repositories ends in "/"; name a single repository with --repository`);
  if (/^v[12]\//.test(prefix)) throw new UsageError(`${text}: remove ${prefix.slice(0, 3)} from the URL`);
  return { text, name: url.host, url: url.origin, prefix };
}
