import { type ContentRange, parseContentRange } from '../oci/range.ts';
import type { StreamAnswer } from '../upstream/streams.ts';

/** The head of an answer that carries a blob or a part of a blob. */
type BlobHead = Pick<StreamAnswer, 'status' | 'headers'>;

/**
 * Which bytes of the blob an answer carries. Undefined when the answer does not say so exactly, or when the bytes are
 * encoded: such a body can be relayed, but another upstream cannot resume it.
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
  // Without Content-Length (chunked) only Content-Range tells the length. When both are there, they must agree.
  if (!range || (length !== undefined && length !== range.last - range.first + 1)) return undefined;
  return range;
}

/** Bytes to skip at most when an upstream answers a range request with the whole blob. */
export const MAX_SKIP_BYTES = 268_435_456;

/** Why an answer to `Range: bytes=<from>-` cannot resume `extent`; undefined: it can. */
export function resumeObstacle(head: BlobHead, extent: ContentRange, from: number): string | undefined {
  const offered = extentOf(head);
  if (!offered) return `the answer (status ${head.status}) does not say which bytes it carries`;
  if (offered.total !== extent.total) return `the blob has ${offered.total} bytes instead of ${extent.total}`;
  if (offered.last < extent.last) return `the answer ends at byte ${offered.last} instead of ${extent.last}`;
  if (offered.first > from) return `the answer begins at byte ${offered.first} instead of ${from}`;
  if (from - offered.first > MAX_SKIP_BYTES)
    return `the upstream ignores ranges, and ${from - offered.first} bytes are too many to skip`;
  return undefined;
}
