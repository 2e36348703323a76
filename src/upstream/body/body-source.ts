import type { UpstreamError } from '../upstream-error.ts';
import type { Chunk } from './chunk.ts';

/** Who takes a body. After `end`, `failed` or `BodySource.destroy` nothing is called any more. */
export interface BodySink {
  /** Takes the chunk over, and releases it. False: no more until `resume`. */
  data(chunk: Chunk): boolean;
  /** The body is whole: as long as its Content-Length said. */
  end(): void;
  /** It broke off: reset, short, or longer than announced. */
  failed(error: UpstreamError): void;
}

/** A body as it comes from an upstream. Nothing is read of it, beyond what came with its head, before `start`. */
export interface BodySource {
  /** To be called once. May call the sink before it returns. */
  start(sink: BodySink): void;
  /** Goes on after `data` returned false. */
  resume(): void;
  /** Ends it early and closes its connection; at any time, any number of times. */
  destroy(): void;
}
