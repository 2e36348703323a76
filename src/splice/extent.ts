import { type ContentRange, parseContentRange } from '../oci/range.ts';
import type { HeaderList } from '../upstream/header-list.ts';

/** The head of an answer that brings a blob or a part of it. */
export interface BlobHead {
  status: number;
  headers: HeaderList;
}

/**
 * Which bytes of the blob an answer brings; undefined where it does not say so exactly, or brings them encoded: such a body can be
 * relayed, but nobody else can go on with it.
 */
export function extentOf({ status, headers }: BlobHead): ContentRange | undefined {
  const coding = headers.get('content-encoding') ?? 'identity';
  if (coding.toLowerCase() !== 'identity') return undefined;
  const length = headers.contentLength();
  if (status === 200) {
    return length === undefined || length === 0 ? undefined : { first: 0, last: length - 1, total: length };
  }
  if (status !== 206) return undefined;
  const range = parseContentRange(headers.get('content-range'));
  // Without a Content-Length (chunked) the range alone says how much comes; with one they must agree.
  if (!range || (length !== undefined && length !== range.last - range.first + 1)) return undefined;
  return range;
}

/** More than this is never read in vain from an upstream that answers a range with the whole blob. */
export const MAX_SKIP = 268_435_456;

/**
 * Where the answer to a request for the bytes from `from` on begins, if it may go on with `extent`.
 * @returns its first byte's place in the blob; or why it may not
 */
export function beginsAt(head: BlobHead, extent: ContentRange, from: number): number | string {
  const offered = extentOf(head);
  if (!offered) return `it answers ${head.status} without saying which bytes`;
  if (offered.total !== extent.total) return `its blob has ${offered.total} bytes instead of ${extent.total}`;
  if (offered.last < extent.last) return `it ends at byte ${offered.last} instead of ${extent.last}`;
  if (offered.first > from) return `it begins at byte ${offered.first} instead of ${from}`;
  if (from - offered.first > MAX_SKIP)
    return `it ignores ranges, and ${from - offered.first} bytes are too many to skip`;
  return offered.first;
}
