import { unlessAborted } from '../unless-aborted.ts';
import { UpstreamError } from '../upstream-error.ts';
import type { BodySink, BodySource, Chunk } from './body-source.ts';

/** A body to be used in exactly one way: streamed, read whole because it is small, or thrown away. */
export abstract class StreamedBody implements BodySource {
  abstract start(sink: BodySink): void;
  abstract resume(): void;
  abstract destroy(): void;

  /**
   * Reads and discards the body, so that its connection can be used again. Beyond `limit` bytes the connection is
   * closed instead.
   * @throws the signal's reason, and nothing else
   */
  async dump({ limit, signal }: { limit: number; signal?: AbortSignal }): Promise<void> {
    const consumed = this.#consume(limit, () => undefined).catch(() => undefined);
    await (signal ? unlessAborted(signal, consumed, () => this.destroy()) : consumed);
  }

  /**
   * Reads the body whole.
   * @param max bytes
   * @throws UpstreamError too-large, or the error that broke off the body; the signal's reason
   */
  async read(max: number, signal: AbortSignal): Promise<Buffer> {
    const parts: Buffer[] = [];
    const consumed = this.#consume(max, (chunk) => parts.push(Buffer.from(chunk.bytes)));
    await unlessAborted(signal, consumed, () => this.destroy());
    return Buffer.concat(parts);
  }

  #consume(limit: number, onChunk: (chunk: Chunk) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let length = 0;
      this.start({
        data: (chunk) => {
          length += chunk.bytes.length;
          if (length <= limit) onChunk(chunk);
          chunk.release();
          if (length > limit) {
            this.destroy();
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
