import { createHash } from 'node:crypto';
import { parseContentRange } from '../../oci/range.ts';
import type { UpstreamAnswer } from '../../upstream/upstream-call.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';
import { AbortLink } from '../registry/abort-link.ts';
import { saidBy } from '../registry/registry-failure.ts';
import { pullOf, type RemoteRegistry } from '../registry/remote-registry.ts';
import { Patience } from '../registry/retry-policy.ts';
import type { Bandwidth } from './bandwidth.ts';
import { algorithmOf } from './verified-digest.ts';

export interface BlobSourceOptions {
  registry: RemoteRegistry;
  repository: string;
  digest: string;
  /** Bytes. */
  size: number;
  bandwidth: Bandwidth;
  /** Told of every byte that is handed on for the first time. */
  onBytes: (bytes: number) => void;
  /** Milliseconds without a byte, or without an answer, after which it is asked for again. Default 30 s. */
  stallMs?: number | undefined;
}

/** An answer that brings what was asked for. */
interface Opened {
  answer: UpstreamAnswer;
  /** How many bytes before the wanted one it begins, where a registry ignores ranges. */
  early: number;
  /** Ends it. */
  link: AbortLink;
}

const STALL_MS = 30_000;
/** Times in a row that it may break off without having brought a byte. */
const MAX_BREAKS = 8;

/** One blob as it is read for a copy: what breaks off goes on where it was, and a wrong one never comes to its end. */
export class BlobSource {
  readonly digest: string;
  readonly size: number;
  readonly #options: BlobSourceOptions;
  readonly #hash;
  /** Bytes that were hashed. */
  #hashed = 0;
  /** Why it cannot be read, if that is so. */
  failed: unknown;

  /** @throws CopyError for a digest that cannot be verified */
  constructor(options: BlobSourceOptions) {
    this.#options = options;
    this.digest = options.digest;
    this.size = options.size;
    this.#hash = createHash(algorithmOf(options.digest));
  }

  /** How far it was handed on, in bytes. */
  get reached(): number {
    return this.#hashed;
  }

  /**
   * The bytes from one place up to another; asked for again they may begin no later than where they ended. The last piece of the blob is
   * handed on only when the digest is right.
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async *bytes(from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    try {
      yield* this.#bytes(from, to, signal);
    } catch (error) {
      if (!signal.aborted) this.failed = error;
      throw error;
    }
  }

  async *#bytes(from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { registry, bandwidth } = this.#options;
    let at = from;
    for (let breaks = 0; at < to; breaks += 1) {
      const before = at;
      let cause: unknown;
      if (breaks > 0) await registry.patience.pause(breaks - 1, signal);
      try {
        for await (const piece of this.#read(at, to, signal)) {
          await bandwidth.pass(piece.length, signal);
          this.#take(piece, at);
          at += piece.length;
          yield piece;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CopyError) throw error;
        cause = error;
      }
      if (at > before) breaks = 0;
      if (breaks >= MAX_BREAKS) {
        const what = `${registry.name} breaks off again and again at byte ${at} of ${this.#name()}`;
        throw new CopyError(what, { passing: true, cause });
      }
    }
  }

  /** What one answer brings of it: no more than is wanted, perhaps less. */
  async *#read(from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const opened = this.#options.registry.patience.with(signal, () => this.#open(from, to, new AbortLink(signal)));
    // It has been tried for long enough, or another try would meet the same: no break to go on from.
    const { answer, early, link } = await opened.catch((error: unknown) => {
      throw signal.aborted ? signal.reason : this.#notGiven(error);
    });
    let [skip, left] = [early, to - from];
    try {
      // One that is read to its end leaves its connection for the next; of one that goes on no more is read.
      const goesOn = (answer.headers.contentLength() ?? 0) > early + to - from;
      for await (const piece of this.#pieces(answer, link)) {
        if (left === 0) return;
        const wanted = piece.subarray(skip, skip + left);
        skip -= Math.min(skip, piece.length);
        left -= wanted.length;
        if (wanted.length > 0) yield wanted;
        if (left === 0 && goesOn) return;
      }
    } finally {
      link.end();
    }
  }

  #notGiven(cause: unknown): unknown {
    if (!(cause instanceof UpstreamError)) return cause;
    const what = `${this.#options.registry.name} does not give ${this.#name()}: ${cause.message}`;
    return new CopyError(what, { passing: Patience.mayPass(cause), cause });
  }

  /** Hashes what was not hashed before. */
  #take(piece: Buffer, at: number): void {
    const fresh = piece.subarray(Math.max(0, this.#hashed - at));
    if (fresh.length === 0) return;
    this.#hash.update(fresh);
    this.#hashed += fresh.length;
    if (this.#hashed === this.size) {
      const found = `${algorithmOf(this.digest)}:${this.#hash.copy().digest('hex')}`;
      if (found !== this.digest)
        throw new CopyError(`${this.#options.registry.name} has wrong bytes in ${this.#name()}: they are ${found}`);
    }
    this.#options.onBytes(fresh.length);
  }

  async #open(from: number, to: number, link: AbortLink): Promise<Opened> {
    const { registry, repository, digest, stallMs = STALL_MS } = this.#options;
    const range = to < this.size ? `bytes=${from}-${to - 1}` : from > 0 ? `bytes=${from}-` : undefined;
    const late = () => link.abort(new UpstreamError('first-byte', `there was no answer within ${stallMs / 1000} s`));
    const timer = setTimeout(late, stallMs).unref();
    try {
      const answer = await registry.connection.send({
        method: 'GET',
        path: `/v2/${repository}/blobs/${digest}`,
        headers: { 'accept-encoding': 'identity', ...(range === undefined ? {} : { range }) },
        scopes: [pullOf(repository)],
        signal: link.signal,
        redirects: 'follow',
      });
      return { answer, early: await this.#checked(answer, from), link };
    } catch (error) {
      link.end();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns how many bytes before the wanted one the answer begins. @throws CopyError */
  async #checked(answer: UpstreamAnswer, from: number): Promise<number> {
    const { registry } = this.#options;
    const { status, headers } = answer;
    const encoding = headers.get('content-encoding') ?? 'identity';
    const range = parseContentRange(headers.get('content-range'));
    if (encoding === 'identity') {
      if (status === 206 && range?.first === from && range.total === this.size) return 0;
      if (status === 200 && (headers.contentLength() ?? this.size) === this.size) return from;
    }
    const good = status === 200 || status === 206;
    const said = await saidBy(answer);
    if (good && encoding !== 'identity')
      throw new CopyError(`${registry.name} does not give ${this.#name()} as it is, but in the encoding ${encoding}`);
    if (good) throw new CopyError(`${registry.name} has another length of ${this.#name()} than its manifest says`);
    throw registry.failure(answer, `does not give ${this.#name()}`, said);
  }

  #name(): string {
    return `the blob ${this.digest.slice(0, 19)} of ${this.#options.repository}`;
  }

  /** Only while a piece is waited for is there a clock: whom it is handed to may take its time. */
  async *#pieces({ body }: UpstreamAnswer, link: AbortLink): AsyncGenerator<Buffer> {
    const { stallMs = STALL_MS } = this.#options;
    const iterator = body[Symbol.asyncIterator]();
    let waiting = true;
    const late = () => waiting && link.abort(new UpstreamError('stall', `no byte came for ${stallMs / 1000} s`));
    // One timer for all: to make one for each piece costs more than the piece.
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
