import type { MultipartFrame } from '../oci/byte-ranges.ts';
import type { SpanGroup } from '../oci/several-ranges.ts';
import type { Sink } from './chunk-writer.ts';
import { PartWriter } from './part-writer.ts';
import type { StreamedBody } from './transfer.ts';

export interface RangesBodyOptions {
  /** The reads that bring all parts, in the order in which they are sent. */
  groups: readonly SpanGroup[];
  frame: MultipartFrame;
  /** The body of the first read, if that has begun already. */
  begun?: StreamedBody | undefined;
  /** Begins a read. Rejects when no upstream can serve it, or the client leaves. */
  open(group: SpanGroup): Promise<StreamedBody>;
}

/** Reads under way for one reply, so that the time until an answer begins passes while parts before it are sent. */
export const READS_AT_ONCE = 4;
/**
 * The next read begins when fewer bytes of those before it are to come. Otherwise it would wait long for a slow client, and many upstreams
 * close a connection on which nothing is taken.
 */
export const AHEAD_BYTES = 262_144;

/** A `multipart/byteranges` body: the parts of several reads, one after the other. */
export class RangesBody implements StreamedBody {
  readonly #options: RangesBodyOptions;
  /** Reads under way, in order. The first one is being sent. */
  readonly #reads: Promise<StreamedBody>[] = [];
  /** Index of the next group to be read. */
  #next = 0;
  /** Bytes of the reads under way that have not come. */
  #pending = 0;
  #sinkFull = false;
  #wake: () => void = () => undefined;

  constructor(options: RangesBodyOptions) {
    this.#options = options;
    const [first] = options.groups;
    if (options.begun && first) this.#add(first, Promise.resolve(options.begun));
  }

  async run(sink: Sink): Promise<void> {
    const { groups, frame } = this.#options;
    const onClosed = () => this.#wake();
    sink.closed.addEventListener('abort', onClosed);
    try {
      for (const group of groups) {
        // Each read hands on its last bytes even to a full sink, so that many small ones would pile up.
        while (this.#sinkFull && !sink.closed.aborted) await this.#drained();
        sink.closed.throwIfAborted();
        this.#beginReads();
        const body = await this.#reads[0];
        await body?.run(this.#sinkFor(sink, group));
        this.#reads.shift();
      }
      sink.write(frame.tail, () => undefined);
    } finally {
      sink.closed.removeEventListener('abort', onClosed);
      this.discard();
    }
  }

  discard(): void {
    for (const read of this.#reads.splice(0)) read.then((body) => body.discard()).catch(() => undefined);
  }

  #beginReads(): void {
    const { groups, open } = this.#options;
    const isDue = () => this.#reads.length < READS_AT_ONCE && this.#pending < AHEAD_BYTES;
    for (let group = groups[this.#next]; group && isDue(); group = groups[this.#next]) this.#add(group, open(group));
  }

  #add({ first, last }: SpanGroup, read: Promise<StreamedBody>): void {
    this.#next += 1;
    this.#pending += last - first + 1;
    this.#reads.push(read);
    // `run` sees it when it is this one's turn.
    read.catch(() => undefined);
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #sinkFor(sink: Sink, group: SpanGroup): Sink {
    const write = (bytes: Buffer, done: () => void) => {
      this.#sinkFull = !sink.write(bytes, done);
      return !this.#sinkFull;
    };
    const writer = new PartWriter({ closed: sink.closed, write }, group, this.#options.frame);
    const parts: Sink = {
      closed: sink.closed,
      onDrain: () => undefined,
      write: (bytes, done) => {
        this.#pending -= bytes.length;
        const more = writer.write(bytes, done);
        this.#beginReads();
        return more;
      },
    };
    sink.onDrain = () => {
      this.#sinkFull = false;
      parts.onDrain();
      this.#wake();
    };
    return parts;
  }
}
