const NEXT = /<([^<>]{0,4096})>\s*;[^<]*\brel\s*=\s*"?next"?/i;

/** Query of the `rel="next"` page that a Link header names (RFC 8288), or undefined if there is none. */
export function nextPageQuery(header: string | undefined): URLSearchParams | undefined {
  const link = NEXT.exec(header ?? '');
  if (!link?.[1]) return undefined;
  const query = link[1].split('?')[1];
  return new URLSearchParams(query ?? '');
}
