/** A query that carries on the `ns=` with which a request named its registry: what Location and Link lead to belongs to that one too. */
export function namespaceOf(query: URLSearchParams): URLSearchParams {
  const namespace = query.get('ns');
  return new URLSearchParams(namespace === null ? {} : { ns: namespace });
}

/** The path with it. @param path without a query */
export function withNamespace(path: string, query: URLSearchParams): string {
  const carried = namespaceOf(query);
  return carried.size > 0 ? `${path}?${carried}` : path;
}
