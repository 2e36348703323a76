import { createHash } from 'node:crypto';
import { monotonicNow } from '../../clock/clock.ts';
import { parseContentRange } from '../../oci/range.ts';
import type { UpstreamAnswer } from '../../upstream/upstream-call.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';
import { AbortLink } from '../registry/abort-link.ts';
import { readErrorMessage } from '../registry/registry-failure.ts';
import { pullScope, type RemoteRegistry } from '../registry/remote-registry.ts';
import { RetryPolicy } from '../registry/retry-policy.ts';
import type { BandwidthLimit } from './bandwidth-limit.ts';
import { digestAlgorithm } from './verified-digest.ts';

export interface BlobSourceOptions {
  registry: RemoteRegistry;
  repository: string;
  digest: string;
  /** Size of the blob in bytes. */
  size: number;
  bandwidth: BandwidthLimit;
  /** Called with the count of bytes that are delivered for the first time. */
  onBytes: (bytes: number) => void;
  /** Milliseconds without a byte or an answer after which the blob is requested again. Default 30 s. */
  stallMs?: number | undefined;
}

/** What an upload sends: a blob of another registry, or one in memory. */
export type UploadSource = Pick<BlobSource, 'digest' | 'size' | 'verifiedBytes' | 'failure' | 'read'>;

/** An accepted answer to a blob request. */
interface OpenedBlob {
  answer: UpstreamAnswer;
  /** Bytes before the requested offset that the answer begins with, where a registry ignores ranges. */
  skipBytes: number;
  /** Aborts the request. */
  link: AbortLink;
}

const STALL_MS = 30_000;
/** Consecutive interruptions without a single byte after which the blob is given up. */
const MAX_FRUITLESS_RETRIES = 8;

/** Reads one blob for a copy. An interrupted read resumes at its offset; a blob with a wrong digest never reaches its end. */
export class BlobSource {
  readonly digest: string;
  readonly size: number;
  readonly #options: BlobSourceOptions;
  readonly #hash;
  /** Bytes that were delivered and hashed so far. */
  verifiedBytes = 0;
  /** Why the blob cannot be read; undefined: no failure. */
  failure: unknown;

  /** @throws CopyError for a digest that cannot be verified */
  constructor(options: BlobSourceOptions) {
    this.#options = options;
    this.digest = options.digest;
    this.size = options.size;
    this.#hash = createHash(digestAlgorithm(options.digest));
  }

  /**
   * Reads a range. A repeated read must begin at or before the end of the previous one. The last chunk of the blob is delivered only if the
   * digest is right.
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async *read(from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    try {
      yield* this.#read(from, to, signal);
    } catch (error) {
      if (!signal.aborted) this.failure = error;
      throw error;
    }
  }

  async *#read(from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { registry, repository, bandwidth } = this.#options;
    let at = from;
    // When the last byte came.
    let byteAt = monotonicNow();
    for (let breaks = 0; at < to; breaks += 1) {
      const before = at;
      let cause: unknown;
      if (breaks > 0) await registry.retryPolicy.pause(breaks - 1, repository, signal);
      try {
        for await (const chunk of this.#readOnce(at, to, signal)) {
          await bandwidth.acquire(chunk.length, signal);
          this.#hashNewBytes(chunk, at);
          at += chunk.length;
          yield chunk;
          byteAt = monotonicNow();
        }
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CopyError) throw error;
        cause = error;
      }
      if (at > before) breaks = 0;
      const isLate = at === before && monotonicNow() - byteAt > registry.retryPolicy.limitMs;
      if (breaks >= MAX_FRUITLESS_RETRIES || isLate) {
        const what = `${registry.name} keeps breaking off at byte ${at} of ${this.#description()}`;
        throw new CopyError(what, { retryable: true, cause });
      }
    }
  }

  /** The bytes of one answer: at most the requested range, perhaps fewer. */
  async *#readOnce(from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { registry, repository } = this.#options;
    const opened = registry.retryPolicy.run(repository, signal, () => this.#open(from, to, new AbortLink(signal)));
    // The retry policy has given up, or a retry would meet the same failure: this is no interruption to resume from.
    const { answer, skipBytes, link } = await opened.catch((error: unknown) => {
      throw signal.aborted ? signal.reason : this.#readFailure(error);
    });
    let [skip, left] = [skipBytes, to - from];
    try {
      // A body that is read to its end leaves its connection reusable. A longer body is not read any further.
      const goesOn = (answer.headers.contentLength() ?? 0) > skipBytes + to - from;
      for await (const chunk of this.#chunks(answer, link)) {
        if (left === 0) return;
        const wanted = chunk.subarray(skip, skip + left);
        skip -= Math.min(skip, chunk.length);
        left -= wanted.length;
        if (wanted.length > 0) yield wanted;
        if (left === 0 && goesOn) return;
      }
    } finally {
      link.unlink();
    }
  }

  #readFailure(cause: unknown): unknown {
    if (!(cause instanceof UpstreamError)) return cause;
    const what = `${this.#options.registry.name} does not serve ${this.#description()}: ${cause.message}`;
    return new CopyError(what, { retryable: RetryPolicy.isRetryable(cause), cause });
  }

  /** Hashes the bytes that were not hashed before. */
  #hashNewBytes(chunk: Buffer, at: number): void {
    const fresh = chunk.subarray(Math.max(0, this.verifiedBytes - at));
    if (fresh.length === 0) return;
    this.#hash.update(fresh);
    this.verifiedBytes += fresh.length;
    if (this.verifiedBytes === this.size) {
      const found = `${digestAlgorithm(this.digest)}:${this.#hash.copy().digest('hex')}`;
      if (found !== this.digest)
        throw new CopyError(
          `${this.#options.registry.name} has wrong bytes in ${this.#description()}: they are ${found}`,
        );
    }
    this.#options.onBytes(fresh.length);
  }

  async #open(from: number, to: number, link: AbortLink): Promise<OpenedBlob> {
    const { registry, repository, digest, stallMs = STALL_MS } = this.#options;
    const range = to < this.size ? `bytes=${from}-${to - 1}` : from > 0 ? `bytes=${from}-` : undefined;
    const late = () => link.abort(new UpstreamError('first-byte', `there was no answer within ${stallMs / 1000} s`));
    const timer = setTimeout(late, stallMs).unref();
    try {
      const answer = await registry.connection.send({
        method: 'GET',
        path: `/v2/${repository}/blobs/${digest}`,
        headers: { 'accept-encoding': 'identity', ...(range === undefined ? {} : { range }) },
        scopes: [pullScope(repository)],
        signal: link.signal,
        redirects: 'follow',
      });
      return { answer, skipBytes: await this.#checkAnswer(answer, from), link };
    } catch (error) {
      link.unlink();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns the bytes before the requested offset that the answer begins with. @throws CopyError */
  async #checkAnswer(answer: UpstreamAnswer, from: number): Promise<number> {
    const { registry } = this.#options;
    const { status, headers } = answer;
    const encoding = headers.get('content-encoding') ?? 'identity';
    const range = parseContentRange(headers.get('content-range'));
    if (encoding === 'identity') {
      if (status === 206 && range?.first === from && range.total === this.size) return 0;
      if (status === 200 && (headers.contentLength() ?? this.size) === this.size) return from;
    }
    const good = status === 200 || status === 206;
    const said = await readErrorMessage(answer);
    if (good && encoding !== 'identity')
      throw new CopyError(
        `${registry.name} does not serve ${this.#description()} as it is, but in the encoding ${encoding}`,
      );
    if (good)
      throw new CopyError(`${registry.name} has another length of ${this.#description()} than its manifest says`);
    throw registry.failure(answer, `does not serve ${this.#description()}`, said);
  }

  #description(): string {
    return `the blob ${this.digest.slice(0, 19)} of ${this.#options.repository}`;
  }

  /** The stall timer runs only while a chunk is awaited: the consumer may take its time. */
  async *#chunks({ body }: UpstreamAnswer, link: AbortLink): AsyncGenerator<Buffer> {
    const { stallMs = STALL_MS } = this.#options;
    const iterator = body[Symbol.asyncIterator]();
    let waiting = true;
    const late = () => waiting && link.abort(new UpstreamError('stall', `no byte came for ${stallMs / 1000} s`));
    // One timer serves all chunks: a timer for each would cost more than the chunk.
    const timer = setTimeout(late, stallMs).unref();
    try {
      for (;;) {
        waiting = true;
        timer.refresh();
        const { value, done } = await iterator.next();
        waiting = false;
        if (done) return;
        yield value;
      }
    } finally {
      clearTimeout(timer);
      body.destroy();
    }
  }
}
