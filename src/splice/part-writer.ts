import type { MultipartFrame } from '../oci/byte-ranges.ts';
import type { Span, SpanGroup } from '../oci/several-ranges.ts';
import type { Sink } from './chunk-writer.ts';

/** Takes the bytes of one read of a blob, and hands on its parts, each below a head. Bytes of the gaps are dropped. */
export class PartWriter {
  readonly #sink: Pick<Sink, 'closed' | 'write'>;
  readonly #frame: Pick<MultipartFrame, 'headOf'>;
  /** Parts whose last byte has not come yet. */
  readonly #parts: Span[];
  /** Offset in the blob of the next byte to come. */
  #offset: number;

  constructor(
    sink: Pick<Sink, 'closed' | 'write'>,
    { first, parts }: SpanGroup,
    frame: Pick<MultipartFrame, 'headOf'>,
  ) {
    this.#sink = sink;
    this.#frame = frame;
    this.#parts = [...parts];
    this.#offset = first;
  }

  /** As `Sink.write`. */
  write(bytes: Buffer, done: () => void): boolean {
    const pieces = this.#piecesOf(bytes);
    if (pieces.length === 0) {
      done();
      return true;
    }
    let left = pieces.length;
    const pieceDone = () => {
      left -= 1;
      if (left === 0) done();
    };
    // The client may leave between two pieces.
    return pieces.map((piece) => !this.#sink.closed.aborted && this.#sink.write(piece, pieceDone)).every(Boolean);
  }

  #piecesOf(bytes: Buffer): Buffer[] {
    const begin = this.#offset;
    this.#offset += bytes.length;
    const pieces: Buffer[] = [];
    for (let part = this.#parts[0]; part && part.first < this.#offset; part = this.#parts[0]) {
      if (part.first >= begin) pieces.push(this.#frame.headOf(part));
      pieces.push(bytes.subarray(Math.max(part.first - begin, 0), part.last + 1 - begin));
      if (part.last >= this.#offset) break;
      this.#parts.shift();
    }
    return pieces;
  }
}
