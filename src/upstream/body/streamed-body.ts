import { UpstreamError } from '../upstream-error.ts';
import type { BodySink, BodySource, Chunk } from './body-source.ts';

/** A body that is to be streamed, read whole because it is small, or thrown away. Exactly one of them. */
export class StreamedBody implements BodySource {
  readonly #source: BodySource;

  constructor(source: BodySource) {
    this.#source = source;
  }

  start(sink: BodySink): void {
    this.#source.start(sink);
  }

  resume(): void {
    this.#source.resume();
  }

  destroy(): void {
    this.#source.destroy();
  }

  /**
   * Reads it to its end, so that its connection can be used again; beyond `limit` bytes the connection is given up instead.
   * @throws the signal's reason, and nothing else
   */
  async dump({ limit, signal }: { limit: number; signal?: AbortSignal }): Promise<void> {
    const gathered = this.#gather(limit, () => undefined).catch(() => undefined);
    await (signal ? this.#unlessAborted(gathered, signal) : gathered);
  }

  /**
   * The whole of it.
   * @param max bytes
   * @throws UpstreamError too-large, or as the body broke off; the signal's reason
   */
  async read(max: number, signal: AbortSignal): Promise<Buffer> {
    const parts: Buffer[] = [];
    await this.#unlessAborted(
      this.#gather(max, (chunk) => parts.push(Buffer.from(chunk.bytes))),
      signal,
    );
    return Buffer.concat(parts);
  }

  async #unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => {
      this.#source.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #gather(limit: number, take: (chunk: Chunk) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let length = 0;
      this.#source.start({
        data: (chunk) => {
          length += chunk.bytes.length;
          if (length <= limit) take(chunk);
          chunk.release();
          if (length > limit) {
            this.#source.destroy();
            reject(new UpstreamError('too-large', `the answer is longer than ${limit} bytes`));
          }
          return true;
        },
        end: resolve,
        failed: reject,
      });
    });
  }
}
