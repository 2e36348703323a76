import { isRepositoryPrefix } from '../../oci/reference.ts';
import { UsageError } from '../config-path.ts';
import { withoutUser } from '../text-format.ts';

export type FallbackKind = 'artifact-registry' | 'harbor' | 'registry';

/** Where the fallback keeps its images. */
export interface FallbackAddress {
  url: string;
  /** Of repositories, with a slash at its end; empty: none. */
  prefix: string;
  kind: FallbackKind;
  /** What the operator should know about this address. */
  note?: string;
}

// Google: "gcr.io repositories", https://cloud.google.com/artifact-registry/docs/transition/gcr-repositories, read in November 2026.
const GCR_LOCATIONS: Record<string, string> = {
  'gcr.io': 'us',
  'us.gcr.io': 'us',
  'eu.gcr.io': 'europe',
  'asia.gcr.io': 'asia',
};
const AR_EXAMPLE = 'europe-docker.pkg.dev/PROJECT/REPOSITORY';

/** The URL of a registry, https if it names no scheme. A base path stays. @param flag for messages @throws UsageError */
export function registryUrl(text: string, flag: string): string {
  const { origin, pathname } = parseUrl(text, flag);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

/** Splits the address of a fallback into URL and prefix. @throws UsageError */
export function fallbackAddress(text: string, flag: string): FallbackAddress {
  const { origin, hostname, pathname } = parseUrl(text, flag);
  const path = pathname.replace(/^\/+|\/+$/g, '');
  const prefix = path === '' ? '' : `${path}/`;
  if (prefix !== '' && !isRepositoryPrefix(prefix))
    throw new UsageError(`${flag}: the path ${path} is no repository name: use lower-case letters, digits and . _ - /`);
  const parts = path === '' ? 0 : path.split('/').length;
  const location = GCR_LOCATIONS[hostname];
  if (location !== undefined) {
    if (parts === 0) throw new UsageError(`${flag}: name the project too, such as ${hostname}/PROJECT`);
    const today = `${location}-docker.pkg.dev/${path.split('/')[0]}/${hostname}`;
    const note = `${hostname} is served by Artifact Registry since 2025; the repository's own name is ${today}`;
    return { url: origin, prefix, kind: 'artifact-registry', note };
  }
  if (!/(^|-)docker\.pkg\.dev$/.test(hostname)) return { url: origin, prefix, kind: 'registry' };
  if (parts < 2) throw new UsageError(`${flag}: name project and repository too, such as ${AR_EXAMPLE}`);
  return { url: origin, prefix, kind: 'artifact-registry' };
}

function parseUrl(text: string, flag: string): URL {
  const shown = withoutUser(text);
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`);
  if (url === null || !/^https?:$/.test(url.protocol) || /\s/.test(text))
    throw new UsageError(`${flag}: ${shown} is no address of a registry; expected HOST, or an http or https URL`);
  if (url.username !== '' || url.password !== '')
    throw new UsageError(`${flag}: ${shown} has a user or a password in it; there are options for them`);
  if (url.search !== '' || url.hash !== '')
    throw new UsageError(`${flag}: ${shown} has a query or a fragment; expected host and at most a path`);
  if (/^\/v2(\/|$)/.test(url.pathname)) throw new UsageError(`${flag}: leave /v2 out of ${shown}`);
  return url;
}
