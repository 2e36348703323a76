import type { Uses } from '../proxy-context.ts';
import { DOWNLOAD_PATH } from '../request/paths.ts';
import { DOWNLOAD_MS, type Origin } from '../request/sealer.ts';

/**
 * The Location of an upload session as the client gets it: below the client's repository, and sealed, so that the
 * session stays with the upstream that issued it (rule 1). Artifact Registry keeps its sessions outside of /v2/.
 * @param at path and query of the request at the upstream, from which a relative Location counts (RFC 9110 section 10.2.2)
 * @returns undefined for a Location that leads to another host
 */
export async function sealUpload(
  context: Uses<'sealer'>,
  origin: Origin,
  repository: string,
  { location, at }: { location: string; at: string },
): Promise<string | undefined> {
  const path = pathAt(origin, location, at);
  if (path === undefined) return undefined;
  const { upstream, url } = origin;
  const sealed = await context.sealer.seal({ kind: 'upload', upstream, url, repository, path });
  return `/v2/${repository}/blobs/uploads/${sealed}`;
}

/**
 * The Location of a redirect that is passed on. It is sealed if it leads to the upstream's own host. Otherwise the
 * client follows it as it is.
 * @param from the URL that answered
 */
export async function passRedirect(
  context: Uses<'sealer'>,
  origin: Origin,
  location: string,
  from: URL,
): Promise<string> {
  const target = URL.parse(location, from);
  if (!target) return location;
  // Storage signs the URL as it is written, so an absolute one is not normalized.
  if (target.host !== new URL(origin.url).host) return URL.canParse(location) ? location : target.href;
  const path = target.pathname + target.search;
  const { upstream, url } = origin;
  const expires = Date.now() + DOWNLOAD_MS;
  return DOWNLOAD_PATH + (await context.sealer.seal({ kind: 'download', upstream, url, path, expires }));
}

/**
 * Path and query of an upload's Location on the upstream's own host. A path of the registry API counts whatever its
 * host, because registries behind proxies of their own may name a host or scheme that only they know.
 */
function pathAt({ url }: Origin, location: string, at: string): string | undefined {
  const base = new URL(url);
  const target = URL.parse(location, new URL(at, base));
  if (!target) return undefined;
  const api = `${base.pathname.replace(/\/+$/, '')}/v2/`;
  if (target.host !== base.host && !target.pathname.startsWith(api)) return undefined;
  return target.pathname + target.search;
}
