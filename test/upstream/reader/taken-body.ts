import type { BodySink, BodySource, Chunk } from '../../../src/upstream/body/body-source.ts';
import type { UpstreamError } from '../../../src/upstream/upstream-error.ts';

/** A sink that copies what comes, and complains of calls after the end. */
export class TakenBody implements BodySink {
  readonly #source: BodySource;
  readonly #parts: Buffer[] = [];
  readonly #wants: (taken: TakenBody) => boolean;
  readonly #ended = Promise.withResolvers<string>();
  /** Settles with `end`, or the reason of the failure. */
  readonly outcome = this.#ended.promise;
  calls: ('data' | 'end' | 'failed')[] = [];
  length = 0;
  chunks = 0;
  over = false;

  /** @param wants called after each chunk: false pauses, and it is the caller's to resume */
  constructor(source: BodySource, wants: (taken: TakenBody) => boolean = () => true) {
    this.#source = source;
    this.#wants = wants;
  }

  static start(source: BodySource, wants?: (taken: TakenBody) => boolean): TakenBody {
    const taken = new TakenBody(source, wants);
    source.start(taken);
    return taken;
  }

  /** All that came. */
  get bytes(): Buffer {
    return Buffer.concat(this.#parts, this.length);
  }

  resume(): void {
    this.#source.resume();
  }

  data(chunk: Chunk): boolean {
    this.#note('data');
    this.length += chunk.bytes.length;
    this.chunks += 1;
    if (chunk.bytes.length === 0) this.#ended.reject(new Error('an empty chunk'));
    if (!(chunk.bytes.buffer instanceof SharedArrayBuffer)) this.#ended.reject(new Error('memory that is not shared'));
    // A plain copy: the chunk's memory is somebody else's after its release.
    this.#parts.push(Buffer.from(chunk.bytes));
    chunk.release();
    return this.#wants(this);
  }

  end(): void {
    this.#note('end');
    this.over = true;
    this.#ended.resolve('end');
  }

  failed(error: UpstreamError): void {
    this.#note('failed');
    this.over = true;
    this.#ended.resolve(error.reason);
  }

  #note(call: 'data' | 'end' | 'failed'): void {
    if (this.over) this.#ended.reject(new Error(`${call} after the end`));
    if (this.over) throw new Error(`${call} after the end`);
    if (this.calls.at(-1) !== call) this.calls.push(call);
  }
}
