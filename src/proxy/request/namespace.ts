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
