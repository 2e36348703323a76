/** One link with its parameters (RFC 8288 section 3). */
const LINK = /<([^<>]{0,4096})>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g;
const RELATION = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))/i;
const QUOTED = /(;\s*(?!rel\s*=)[^\s=;,"]+\s*=\s*)"(?:[^"\\]|\\.)*"/gi;
const MAX_LENGTH = 16_384;

/** Query of the `rel="next"` page in a Link header (RFC 8288); undefined: there is none. */
export function nextPageQuery(header: string | undefined): URLSearchParams | undefined {
  for (const [, target = '', parameters = ''] of (header ?? '').slice(0, MAX_LENGTH).matchAll(LINK)) {
    // A quoted title may contain text that looks like a relation.
    const relation = RELATION.exec(parameters.replace(QUOTED, '$1'));
    const kinds = (relation?.[1] ?? relation?.[2] ?? '').toLowerCase().split(/\s+/);
    if (target !== '' && kinds.includes('next')) return queryOf(target);
  }
  return undefined;
}

function queryOf(target: string): URLSearchParams {
  const [address = ''] = target.split('#', 1);
  const mark = address.indexOf('?');
  return new URLSearchParams(mark === -1 ? '' : address.slice(mark + 1));
}
