import type { Span } from './several-ranges.ts';

/** What stands around the parts of a `multipart/byteranges` body (RFC 9110 section 14.6). */
export interface MultipartFrame {
  contentType: string;
  /** Bytes of the whole body. */
  length: number;
  /** What precedes the bytes of a part. */
  headOf(part: Span): Buffer;
  /** What follows the last part. */
  tail: Buffer;
}

/**
 * The frame of a body with these parts of a blob. Each part has a type of its own, which for a blob says nothing.
 * @param boundary no content may have it: it must not be guessable
 */
export function multipartFrame(boundary: string, parts: readonly Span[], total: number): MultipartFrame {
  const headOf = ({ first, last }: Span) =>
    Buffer.from(
      `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${first}-${last}/${total}\r\n\r\n`,
    );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const length = parts.reduce((sum, part) => sum + headOf(part).length + part.last - part.first + 1, tail.length);
  return { contentType: `multipart/byteranges; boundary=${boundary}`, length, headOf, tail };
}
