/** A requested byte range: `bytes=first-last`, `bytes=first-` or `bytes=-suffix` (RFC 9110 section 14). */
export interface ByteRange {
  first: number | undefined;
  last: number | undefined;
}

/**
 * Parses a Range header. `undefined`: no header, or a unit that may be ignored. `invalid`: a malformed byte range, or one that has no
 * byte. Several ranges count as invalid: `parseRanges` knows them.
 */
export function parseRange(header: string | undefined): ByteRange | 'invalid' | undefined {
  const ranges = parseRanges(header);
  if (ranges === undefined || ranges === 'invalid') return ranges;
  const [only, second] = ranges;
  return second || !only ? 'invalid' : only;
}

/** Parses a Range header of one range or several, in the order of the header. There is at least one. */
export function parseRanges(header: string | undefined): ByteRange[] | 'invalid' | undefined {
  const set = /^bytes\s*=(.*)$/i.exec(header?.trim() ?? '')?.[1];
  if (set === undefined) return undefined;
  // Empty elements of a list are ignored (RFC 9110 section 5.6.1.2).
  const elements = set.split(',').map((element) => element.trim());
  const ranges = elements.filter((element) => element !== '').map(parseElement);
  if (ranges.includes('invalid')) return 'invalid';
  // The last 0 bytes: no content satisfies that (RFC 9110 section 14.1.2), but Go's file server answers 206 with `bytes 5-4/5`.
  const some = (ranges as ByteRange[]).filter(({ first, last }) => first !== undefined || last !== 0);
  return some.length === 0 ? 'invalid' : some;
}

function parseElement(text: string): ByteRange | 'invalid' {
  const match = /^(\d{0,15})-(\d{0,15})$/.exec(text);
  if (!match || (match[1] === '' && match[2] === '')) return 'invalid';
  const first = match[1] === '' ? undefined : Number(match[1]);
  const last = match[2] === '' ? undefined : Number(match[2]);
  return first !== undefined && last !== undefined && last < first ? 'invalid' : { first, last };
}

/** The Range header of one range. */
export function formatRange({ first, last }: ByteRange): string {
  return `bytes=${first ?? ''}-${last ?? ''}`;
}

/** The position of a 206's bytes in the whole (RFC 9110 section 14.4); `last` is inclusive. */
export interface ContentRange {
  first: number;
  last: number;
  total: number;
}

/** Parses a Content-Range header; undefined: missing, malformed, contradictory, or without a total. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(header?.trim() ?? '');
  if (!match) return undefined;
  const [first, last, total] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return first <= last && last < total ? { first, last, total } : undefined;
}

/**
 * Whether a 206 has bytes of the requested range, from its beginning on. It may end earlier (RFC 9110 section 15.3.7), and need not know
 * the total.
 * @param asked the Range header
 * @param header the Content-Range header
 * @param length Content-Length; undefined: not known
 */
export function answersRange(asked: string, header: string | undefined, length: number | undefined): boolean {
  const range = parseRange(asked);
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(header?.trim() ?? '');
  if (!match || range === undefined || range === 'invalid') return false;
  const [first, last, total] = [Number(match[1]), Number(match[2]), match[3] === '*' ? undefined : Number(match[3])];
  if (first > last || (total !== undefined && last >= total)) return false;
  if (length !== undefined && length !== last - first + 1) return false;
  const { first: from, last: to = Number.POSITIVE_INFINITY } = range;
  if (from !== undefined) return first === from && last <= to;
  return total === undefined ? last - first < to : first === Math.max(total - to, 0);
}
