/** Paths of the edge's own, beside the registry API. */

/** The edge's own token service. */
export const OWN_TOKEN_PATH = '/auth/token';
/** The token services of upstreams. A sealed address follows. */
export const TOKEN_PATH = '/auth/token/';
export const DOWNLOAD_PATH = '/_breakwater/download/';
/** Hooks of registries. The kind of the sender follows. */
export const HOOKS_PATH = '/hooks/';
/** The senders whose hooks are understood, by the last part of the path. */
export const HOOK_SENDERS = ['harbor', 'distribution'] as const;
export type HookSender = (typeof HOOK_SENDERS)[number];

/** A query with the `ns=` of a request, for its Location and Link: they belong to the same registry. */
export function namespaceOf(query: URLSearchParams): URLSearchParams {
  const namespace = query.get('ns');
  return new URLSearchParams(namespace === null ? {} : { ns: namespace });
}

/** The path with that query. @param path without a query */
export function withNamespace(path: string, query: URLSearchParams): string {
  const carried = namespaceOf(query);
  return carried.size > 0 ? `${path}?${carried}` : path;
}
