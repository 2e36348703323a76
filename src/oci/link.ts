/** One link with its parameters (RFC 8288 section 3). */
const LINK = /<([^<>]{0,4096})>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g;
const RELATION = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))/i;
const QUOTED = /(;\s*(?!rel\s*=)[^\s=;,"]+\s*=\s*)"(?:[^"\\]|\\.)*"/gi;
const MAX_LENGTH = 16_384;

/** Query of the `rel="next"` page that a Link header names (RFC 8288), or undefined if there is none. */
export function nextPageQuery(header: string | undefined): URLSearchParams | undefined {
  for (const [, target = '', parameters = ''] of (header ?? '').slice(0, MAX_LENGTH).matchAll(LINK)) {
    // A title may say anything, also what looks like a relation.
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
